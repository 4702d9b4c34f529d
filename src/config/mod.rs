//! What the operator decides: read from a TOML file and the environment, all faults reported at once.

mod environment;
mod known;
mod secret;
mod section;
mod span;

use std::fs;
use std::path::Path;

use serde::Deserialize;
use toml::Table;

use crate::model::Severity;

pub use known::{meant, unknown};
pub use secret::Secret;
pub use section::Section;
pub use span::Span;

/// One thing that is wrong with the configuration, as a sentence that names the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

/// When findings make one incident and when it ends. See `ARCHITECTURE.md`, "Incidents".
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentsConfig {
    /// Findings of one identity no further apart than this make one incident.
    pub gather_for: Span,
    /// Findings of the same rule no further apart than this reopen the incident rather than make
    /// a new one.
    pub reopen_within: Span,
    /// An incident without a good sign-in ends when nothing more came for this long.
    pub quiet_for: Span,
}

impl Default for IncidentsConfig {
    fn default() -> Self {
        Self {
            gather_for: Span::seconds(60 * 60),
            reopen_within: Span::seconds(24 * 60 * 60),
            quiet_for: Span::seconds(48 * 60 * 60),
        }
    }
}

/// How long rows are kept. Nothing is deleted where a span is absent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Events, and the records behind them, older than this are deleted by `run`.
    pub keep_events_for: Option<Span>,
}

/// What holds for all channels.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// A recovery is told when it has held for this long, so that a flapping identity does not
    /// write every minute.
    pub hold_resolved_for: Span,
    /// The host in Message-IDs, and the name of this installation in messages.
    pub host: String,
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self { hold_resolved_for: Span::seconds(5 * 60), host: "signinel.local".to_owned() }
    }
}

/// Who is told what. An incident goes to the channels of every route it fits; without any route, to
/// every channel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    pub channels: Vec<String>,
    #[serde(default)]
    pub min_severity: Severity,
    /// Only these categories; all where empty.
    #[serde(default)]
    pub categories: Vec<String>,
}

/// Which rules are only watched.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RulesConfig {
    /// Rules that are evaluated and shown, and never told; so are those whose status is experimental.
    pub shadow: Vec<String>,
    /// Rules that are told whatever their status.
    pub live: Vec<String>,
}

/// All that a file may hold.
const TABLES: [&str; 7] =
    ["source", "channel", "route", "incidents", "retention", "notify", "rules"];

/// The whole configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub sources: Vec<Section>,
    pub channels: Vec<Section>,
    pub routes: Vec<Route>,
    pub incidents: IncidentsConfig,
    pub retention: RetentionConfig,
    pub notify: NotifyConfig,
    pub rules: RulesConfig,
}

/// A configuration that cannot be used as it is.
#[derive(Debug)]
pub struct Broken {
    pub faults: Vec<Fault>,
    /// What could be read of it, in which there may be more faults.
    pub rest: Box<Config>,
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self { faults: vec![fault], rest: Box::default() }
    }
}

impl Config {
    /// Reads a file, and the environment over it. Without the file, the defaults hold; whether that
    /// is right, the caller knows.
    pub fn load(path: &Path, variables: &[(String, String)]) -> Result<Self, Broken> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                return Err(Broken::from(Fault(format!(
                    "cannot read the configuration {}: {error}; config.example.toml shows what goes into it",
                    path.display()
                ))));
            }
        };
        let placed = |mut config: Self| {
            for section in config.sources.iter_mut().chain(&mut config.channels) {
                section.stands_in(path);
            }
            config
        };
        let in_file = |fault: Fault| Fault(format!("{}: {fault}", path.display()));
        match Self::parse(&text, variables) {
            Ok(config) => Ok(placed(config)),
            Err(Broken { faults, rest }) => Err(Broken {
                faults: faults.into_iter().map(in_file).collect(),
                rest: Box::new(placed(*rest)),
            }),
        }
    }

    /// Reads the text of a file, and the environment over it.
    pub fn parse(text: &str, variables: &[(String, String)]) -> Result<Self, Broken> {
        let mut file: Table =
            text.parse().map_err(|error: toml::de::Error| Fault(syntax(text, &error)))?;
        environment::overlay(&mut file, variables);
        let mut faults = Vec::new();
        let config = Self {
            sources: sections(&mut file, "source", variables, &mut faults),
            channels: sections(&mut file, "channel", variables, &mut faults),
            routes: decode_list(&mut file, "route", &mut faults),
            incidents: decode(&mut file, "incidents", &mut faults),
            retention: decode(&mut file, "retention", &mut faults),
            notify: decode(&mut file, "notify", &mut faults),
            rules: decode(&mut file, "rules", &mut faults),
        };
        faults.extend(
            file.keys()
                .map(|key| Fault(format!("`{key}` {}", unknown(key, "the tables are", &TABLES)))),
        );
        config.check_names(&mut faults);
        if faults.is_empty() { Ok(config) } else { Err(Broken { faults, rest: Box::new(config) }) }
    }

    fn check_names(&self, faults: &mut Vec<Fault>) {
        for sections in [&self.sources, &self.channels] {
            for (place, section) in sections.iter().enumerate() {
                if sections[..place].iter().any(|other| other.name == section.name) {
                    faults.push(section.fault("this name is used twice; give each its own"));
                }
            }
        }
        let names: Vec<&str> = self.channels.iter().map(|section| section.name.as_str()).collect();
        for channel in self.routes.iter().flat_map(|route| &route.channels) {
            if !names.contains(&channel.as_str()) {
                let meant = known::meant(channel, &names);
                faults.push(Fault(format!(
                    "[[route]]: there is no channel named `{channel}`{meant}"
                )));
            }
        }
        for name in self.rules.shadow.iter().filter(|name| self.rules.live.contains(name)) {
            faults.push(Fault(format!(
                "[rules]: `{name}` is in `shadow` and in `live`; leave it in one"
            )));
        }
    }
}

/// A fault of TOML itself, with its 1-based line.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let line =
        error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    format!("line {line}: {}", error.message())
}

fn sections(
    file: &mut Table,
    table: &'static str,
    variables: &[(String, String)],
    faults: &mut Vec<Fault>,
) -> Vec<Section> {
    let tables: Vec<Table> = decode_list(file, table, faults);
    let mut sections: Vec<Section> =
        tables.into_iter().filter_map(|settings| Section::read(table, settings, faults)).collect();
    for section in &mut sections {
        environment::overlay_section(section, variables);
    }
    sections
}

fn decode<T: Default + for<'de> Deserialize<'de>>(
    file: &mut Table,
    key: &str,
    faults: &mut Vec<Fault>,
) -> T {
    let Some(value) = file.remove(key) else { return T::default() };
    value.try_into().unwrap_or_else(|error: toml::de::Error| {
        faults.push(Fault(format!("[{key}]: {}", section::told(&error))));
        T::default()
    })
}

fn decode_list<T: for<'de> Deserialize<'de>>(
    file: &mut Table,
    key: &str,
    faults: &mut Vec<Fault>,
) -> Vec<T> {
    let mut read = Vec::new();
    match file.remove(key) {
        None => {}
        Some(toml::Value::Array(values)) => {
            for (place, value) in values.into_iter().enumerate() {
                match value.try_into() {
                    Ok(item) => read.push(item),
                    Err(error) => {
                        let error: toml::de::Error = error;
                        faults.push(Fault(format!(
                            "[[{key}]] number {}: {}",
                            place + 1,
                            section::told(&error)
                        )));
                    }
                }
            }
        }
        Some(_) => faults.push(Fault(format!("`{key}` is a list: write [[{key}]], once for each"))),
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_reported_at_once() {
        let text = "surce = 1\n[[source]]\nname = \"a\"\n[[channel]]\nkind = \"email\"\nname = \"\"\n\
                    [[route]]\nchannels = [\"pager\"]\n[incidents]\ngather_for = \"soon\"\n";
        let faults = Config::parse(text, &[]).unwrap_err();
        let told: Vec<String> = faults.faults.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 5, "{told:#?}");
        assert!(told.iter().any(|fault| fault.contains("`kind` is missing")));
        assert!(told.iter().any(|fault| fault.contains("`soon` is not a span of time")));
        assert!(told.iter().any(|fault| fault.contains("no channel named `pager`")));
    }

    #[test]
    fn the_environment_goes_over_the_file_and_no_secret_is_printed() {
        #[derive(Debug, Deserialize)]
        struct Settings {
            password: Secret,
        }
        let text =
            "[[channel]]\nkind = \"email\"\nname = \"on-call\"\npassword = \"in the file\"\n";
        let variables = [
            ("SIGNINEL_CHANNEL_ON_CALL_PASSWORD".to_owned(), "hunter2".to_owned()),
            ("SIGNINEL_INCIDENTS_GATHER_FOR".to_owned(), "2h".to_owned()),
        ];
        let config = Config::parse(text, &variables).unwrap();
        assert_eq!(config.incidents.gather_for, Span::seconds(7200));
        let settings: Settings = config.channels[0].settings().unwrap();
        assert_eq!(settings.password.expose(), "hunter2");
        assert!(!format!("{config:?} {settings:?}").contains("hunter2"));
    }

    #[test]
    fn a_secret_written_in_a_wrong_way_is_not_printed() {
        #[derive(Debug, Deserialize)]
        struct Settings {
            #[expect(dead_code, reason = "only that it can be read matters")]
            secrets: Vec<Secret>,
        }
        for (written, told) in [
            ("\"hunter2\"", "`secrets`: invalid type: string, expected a sequence"),
            ("[2222]", "`secrets`: invalid type: integer, expected a string"),
            ("\"a `b`, expected 2\"", "`secrets`: invalid type: string, expected a sequence"),
        ] {
            let text = format!("[[channel]]\nkind = \"x\"\nname = \"y\"\nsecrets = {written}\n");
            let fault = Config::parse(&text, &[]).unwrap().channels[0].settings::<Settings>();
            assert_eq!(fault.unwrap_err().0, format!("[[channel]] `y`: {told}"));
        }
        let fault = Config::parse("channel = [\"hunter2\"]", &[]).unwrap_err();
        assert!(!fault.faults[0].0.contains("hunter2"), "{fault:?}");
    }

    #[test]
    fn a_password_of_digits_may_come_from_the_environment() {
        #[derive(Deserialize)]
        struct Settings {
            password: Secret,
            port: u16,
        }
        let text = "[[channel]]\nkind = \"email\"\nname = \"mail\"\n";
        let variables = [
            ("SIGNINEL_CHANNEL_MAIL_PASSWORD".to_owned(), "0123".to_owned()),
            ("SIGNINEL_CHANNEL_MAIL_PORT".to_owned(), "25".to_owned()),
        ];
        let config = Config::parse(text, &variables).unwrap();
        let settings: Settings = config.channels[0].settings().unwrap();
        assert_eq!((settings.password.expose(), settings.port), ("0123", 25));
    }
}
