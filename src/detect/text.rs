//! What a person is told of a rule, as its file has it.

use rsigma_parser::Status;

use super::extension::Extension;

/// What a person is told of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleText {
    pub title: String,
    /// How far it is proved: stable, test, experimental, deprecated.
    pub status: String,
    pub description: String,
    pub why: String,
    pub first_steps: Vec<String>,
    pub unknown: Vec<String>,
    pub false_positives: Vec<String>,
    pub tags: Vec<String>,
}

impl RuleText {
    pub(super) fn of(
        (title, stands, description): (&str, Option<Status>, Option<&String>),
        extension: &Extension,
    ) -> Self {
        Self {
            title: title.to_owned(),
            status: status(stands).to_owned(),
            description: description.cloned().unwrap_or_default(),
            why: extension.why.clone(),
            first_steps: extension.first_steps.clone(),
            unknown: extension.unknown.clone(),
            ..Self::default()
        }
    }
}

pub(super) fn status(status: Option<Status>) -> &'static str {
    match status {
        Some(Status::Stable) => "stable",
        Some(Status::Test) => "test",
        Some(Status::Experimental) => "experimental",
        Some(Status::Deprecated) => "deprecated",
        Some(Status::Unsupported) => "unsupported",
        None => "",
    }
}
