//! Signatures of Standard Webhooks 1.0.0: a receiver that knows the secret knows who wrote.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::config::Secret;

/// What a secret begins with, so that it is not taken for anything else.
const PREFIX: &str = "whsec_";

/// How long a secret is, in bytes.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

/// The keys of a channel; more than one while a secret is being replaced.
pub(super) struct Keys(Vec<hmac::Key>);

impl Keys {
    /// Reads secrets as they are written in the configuration. The error never holds one.
    pub(super) fn read(secrets: &[Secret]) -> Result<Self, String> {
        secrets.iter().map(key).collect::<Option<Vec<_>>>().map(Self).ok_or_else(|| {
            format!(
                "a secret is `{PREFIX}` and {} to {} bytes in Base64; make one with \
                 `echo {PREFIX}$(openssl rand -base64 32)`",
                LENGTH.start(),
                LENGTH.end()
            )
        })
    }

    /// The header `webhook-signature`: one signature for each key.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut signed = format!("{id}.{timestamp}.").into_bytes();
        signed.extend_from_slice(body);
        let signatures: Vec<String> = self
            .0
            .iter()
            .map(|key| format!("v1,{}", STANDARD.encode(hmac::sign(key, &signed))))
            .collect();
        signatures.join(" ")
    }
}

fn key(secret: &Secret) -> Option<hmac::Key> {
    let bytes = STANDARD.decode(secret.expose().strip_prefix(PREFIX)?).ok()?;
    LENGTH.contains(&bytes.len()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_published_example_has_the_published_signature() {
        let keys = Keys::read(&[Secret::new(SECRET)]).unwrap();
        let signed =
            keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_is_replaced_both_sign() {
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let keys = Keys::read(&[Secret::new(SECRET), Secret::new(&other)]).unwrap();
        let signed = keys.sign("msg_1", 1, b"{}");
        assert_eq!(signed.split(' ').filter(|one| one.starts_with("v1,")).count(), 2);
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_repeated() {
        for bad in ["hunter2", "whsec_aHVudGVyMg==", "whsec_%%%", "whsec_"] {
            let error = Keys::read(&[Secret::new(bad)]).err().unwrap();
            assert!(error.contains("openssl rand -base64 32") && !error.contains("aHVudGVyMg"));
        }
    }
}
