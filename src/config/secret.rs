//! A secret: never printed, given as a value, in a file, or by the environment.

use std::fmt;
use std::fs;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A text that nothing prints.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text.to_owned()))
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The secret of a setting that can be written as `key` or as `key_file`.
    ///
    /// A file's closing line break is not part of the secret. The error is a whole sentence.
    pub fn pick(
        key: &str,
        value: Option<Self>,
        file: Option<&Path>,
    ) -> Result<Option<Self>, String> {
        match (value, file) {
            (Some(_), Some(_)) => Err(format!("give `{key}` or `{key}_file`, not both")),
            (Some(secret), None) => Ok(Some(secret)),
            (None, None) => Ok(None),
            (None, Some(path)) => match fs::read_to_string(path) {
                Ok(text) => Ok(Some(Self::new(text.trim_end_matches(['\r', '\n'])))),
                Err(error) => Err(format!("cannot read `{key}_file` {}: {error}", path.display())),
            },
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::new(&text))
    }
}
