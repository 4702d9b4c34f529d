//! Steps as rules and catalogue write them, filled in with the ids of an incident.
//!
//! A command that a person copies at 2 a.m. must be whole and harmless: it is left out when an id is
//! unknown, and names, which others may have chosen, are quoted for the shell.

use std::borrow::Cow;

use super::card::Step;
use super::facts::{Facts, FindingFacts};
use super::phrase;

/// The placeholders a step may use.
pub const PLACEHOLDERS: [&str; 7] = [
    "app_id",
    "service_principal_id",
    "tenant_id",
    "arm_resource_id",
    "error_code",
    "name",
    "resource",
];

/// The placeholders of a step that nobody fills in.
#[must_use]
pub fn unknown_placeholders(template: &str) -> Vec<&str> {
    pieces(template)
        .filter_map(|piece| match piece {
            Piece::Placeholder(word) if !PLACEHOLDERS.contains(&word) => Some(word),
            _ => None,
        })
        .collect()
}

enum Piece<'t> {
    Text(&'t str),
    /// The word between the braces.
    Placeholder(&'t str),
}

/// Cuts a template at `{word}`. Other braces, as queries have, are text.
fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let next = rest.match_indices('{').find_map(|(start, _)| {
            let end = start + rest[start..].find('}')?;
            let word = &rest[start + 1..end];
            let is_word =
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            is_word.then_some((start, end, word))
        });
        let (piece, after) = match next {
            Some((0, end, word)) => (Piece::Placeholder(word), end + 1),
            Some((start, ..)) => (Piece::Text(&rest[..start]), start),
            None => (Piece::Text(rest), rest.len()),
        };
        rest = &rest[after..];
        Some(piece)
    })
}

/// What placeholders stand for. Empty is unknown.
#[derive(Clone, Debug, Default)]
pub(super) struct Blanks {
    pub app_id: String,
    pub service_principal_id: String,
    pub tenant_id: String,
    pub arm_resource_id: String,
    pub error_code: String,
    pub name: String,
    pub resource: String,
    /// Managed identities have no application object, so commands about one would only fail.
    pub is_managed: bool,
}

impl Blanks {
    /// The ids of the incident's first identity, and the code most of its failures have.
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let identity = facts.identities.first().cloned().unwrap_or_default();
        let incident = facts.incident;
        Self {
            is_managed: identity.is_managed(),
            app_id: identity.named.app_id,
            service_principal_id: identity.named.service_principal_id,
            name: identity.named.name,
            tenant_id: identity.tenant_id,
            arm_resource_id: identity.arm_resource_id,
            error_code: incident.error_codes.first().map(i64::to_string).unwrap_or_default(),
            resource: resource(facts),
        }
    }

    /// Fills in a template.
    pub(super) fn step(&self, template: &str) -> Step {
        let (sentence, command) = split(template);
        let command = command
            .filter(|command| !(self.is_managed && command.starts_with("az ad app ")))
            .and_then(|command| self.command(command));
        Step { sentence: self.sentence(&sentence), command }
    }

    /// Fills in a template, unless it is a search by a name that is not known.
    pub(super) fn useful(&self, template: &str) -> Option<Step> {
        let command = split(template).1.unwrap_or_default();
        let is_blind = (command.contains("{name}") && self.name.is_empty())
            || (command.contains("{resource}") && self.resource.is_empty());
        (!is_blind).then(|| self.step(template))
    }

    fn value(&self, word: &str) -> &str {
        match word {
            "app_id" => &self.app_id,
            "service_principal_id" => &self.service_principal_id,
            "tenant_id" => &self.tenant_id,
            "arm_resource_id" => &self.arm_resource_id,
            "error_code" => &self.error_code,
            "name" => &self.name,
            "resource" => &self.resource,
            _ => "",
        }
    }

    pub(super) fn sentence(&self, template: &str) -> String {
        pieces(template)
            .map(|piece| match piece {
                Piece::Text(text) => Cow::Borrowed(text),
                Piece::Placeholder(word) => match self.value(word) {
                    "" => Cow::Borrowed(unnamed(word)),
                    value => Cow::Owned(phrase::quoted(value)),
                },
            })
            .collect()
    }

    /// `None` when something it needs is unknown or not safe to type.
    fn command(&self, template: &str) -> Option<String> {
        pieces(template)
            .map(|piece| match piece {
                Piece::Text(text) => Some(Cow::Borrowed(text)),
                Piece::Placeholder(word @ ("name" | "resource")) => {
                    shell_word(self.value(word)).map(Cow::Owned)
                }
                Piece::Placeholder(word) => {
                    let value = self.value(word);
                    let is_arm = word == "arm_resource_id";
                    is_plain(value, is_arm).then_some(Cow::Borrowed(value))
                }
            })
            .collect()
    }
}

/// The resource that a step is about: one that is new, else the first that has a name.
fn resource(facts: &Facts<'_>) -> String {
    let is_of_resource = |finding: &&FindingFacts<'_>| finding.field == Some("resourceId");
    let new = facts.findings.iter().filter(is_of_resource).find_map(FindingFacts::new_value);
    let named = facts.incident.resources.iter().map(String::as_str).find(|name| !name.is_empty());
    new.or(named).unwrap_or_default().to_owned()
}

/// What a sentence says in place of an id that is not known.
fn unnamed(word: &str) -> &str {
    match word {
        "app_id" => "its client id",
        "service_principal_id" => "its object id",
        "tenant_id" => "the tenant",
        "arm_resource_id" => "the Azure resource it belongs to",
        "error_code" => "the error code",
        "name" => "the identity",
        "resource" => "the resource",
        other => other,
    }
}

/// Splits "sentence: `command`" where the text ends in backticks.
fn split(template: &str) -> (Cow<'_, str>, Option<&str>) {
    let whole = (Cow::Borrowed(template), None);
    let Some(inner) = template.strip_suffix('`') else { return whole };
    let Some(start) = inner.rfind('`') else { return whole };
    let sentence = inner[..start].trim_end().trim_end_matches([':', '.']);
    if sentence.is_empty() {
        return whole;
    }
    (Cow::Owned(format!("{sentence}.")), Some(&inner[start + 1..]))
}

/// Whether an id can stand in a command, within double quotes or without.
fn is_plain(value: &str, is_arm: bool) -> bool {
    let extra = if is_arm { "-._/()" } else { "-" };
    !value.is_empty()
        && !value.starts_with('-')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

/// A name as one word of a shell.
fn shell_word(value: &str) -> Option<String> {
    let is_safe = !value.is_empty()
        && !value.starts_with('-')
        && value.chars().all(|c| !c.is_control())
        && value.chars().count() <= 256;
    is_safe.then(|| format!("'{}'", value.replace('\'', r"'\''")))
}

/// Adds the steps of one source, those left out that another source has said already. One source does not
/// repeat itself, so its own steps are only compared to the letter.
pub(super) fn add_all(steps: &mut Vec<Step>, more: Vec<Step>) {
    let said_before = steps.len();
    for step in more {
        let (others, own) = steps.split_at(said_before);
        let is_said = others.iter().any(|other| is_the_same(other, &step))
            || own.iter().any(|other| {
                other.sentence == step.sentence
                    || (step.command.is_some() && other.command == step.command)
            });
        if !is_said {
            steps.push(step);
        }
    }
}

fn is_the_same(one: &Step, other: &Step) -> bool {
    match (&one.command, &other.command) {
        (Some(one), Some(other)) => what_it_asks(one) == what_it_asks(other),
        _ => {
            one.sentence == other.sentence || phrase::says_the_same(&one.sentence, &other.sentence)
        }
    }
}

/// A command without what only picks columns or kinds of its answer.
fn what_it_asks(command: &str) -> &str {
    let end =
        [" --query", " --output", " --cert"].iter().filter_map(|word| command.find(word)).min();
    &command[..end.unwrap_or(command.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Blanks {
        Blanks {
            app_id: "8d0b7c1e-2f0a-4f1c-b7c5-1d6c3a2e9f41".to_owned(),
            name: "orders".to_owned(),
            ..Blanks::default()
        }
    }

    #[test]
    fn a_step_is_a_sentence_and_a_command() {
        let step = known().step("See whether it is there: `az ad sp show --id {app_id}`");
        assert_eq!(step.sentence, "See whether it is there.");
        assert_eq!(
            step.command.as_deref(),
            Some("az ad sp show --id 8d0b7c1e-2f0a-4f1c-b7c5-1d6c3a2e9f41")
        );
    }

    #[test]
    fn every_step_of_rules_and_catalogue_is_a_whole_sentence_with_one_command_at_most() {
        let book = crate::detect::Rulebook::embedded().unwrap();
        let catalogue = super::super::Catalogue::shipped();
        let of_rules = book.rules.values().flat_map(|rule| &rule.text.first_steps);
        let of_codes = catalogue.entries().flat_map(|entry| &entry.remedy);
        for template in of_rules.chain(of_codes) {
            let (sentence, _) = split(template);
            assert!(!sentence.contains("`az "), "a second command: {template}");
            for torn in [" and.", " or.", " with.", ":.", ",."] {
                assert!(!sentence.ends_with(torn), "{sentence}");
            }
        }
    }

    #[test]
    fn a_command_with_an_unknown_id_is_left_out_and_the_sentence_stays() {
        let step = known().step("See its roles: `az role list --assignee {service_principal_id}`");
        assert_eq!(step.sentence, "See its roles.");
        assert_eq!(step.command, None);
    }

    #[test]
    fn a_sentence_names_what_it_knows_and_is_whole_without() {
        let template = "Ask the owner of {name} whether it began to use {resource}.";
        assert_eq!(
            known().step(template).sentence,
            "Ask the owner of `orders` whether it began to use the resource."
        );
    }

    #[test]
    fn no_placeholder_is_ever_left() {
        for template in ["Look at {nobody_knows} and {app_id}.", "Do: `az {nobody_knows}`"] {
            let step = Blanks::default().step(template);
            assert!(!step.sentence.contains('{'), "{}", step.sentence);
            assert_eq!(step.command, None);
        }
        assert_eq!(unknown_placeholders("{app_id} {nobody_knows}"), ["nobody_knows"]);
    }

    #[test]
    fn braces_of_a_query_are_no_placeholder() {
        let step =
            known().step("Look: `az x --id {app_id} --query \"[].{id:id,name:displayName}\"`");
        assert!(step.command.unwrap().ends_with("--query \"[].{id:id,name:displayName}\""));
    }

    #[test]
    fn a_hostile_name_stays_one_word_or_out_of_the_command() {
        let mut blanks = known();
        for (name, word) in [
            ("o'x; rm -rf /", Some(r"az sp --n 'o'\''x; rm -rf /'")),
            ("$(reboot)", Some("az sp --n '$(reboot)'")),
            ("--help", None),
            ("two\nlines", None),
        ] {
            blanks.name = name.to_owned();
            assert_eq!(blanks.step("Look: `az sp --n {name}`").command.as_deref(), word);
        }
        blanks.app_id = "$(reboot)".to_owned();
        assert_eq!(blanks.step("Look: `az sp --id {app_id}`").command, None);
    }

    #[test]
    fn a_managed_identity_gets_no_command_about_an_application() {
        let blanks = Blanks { is_managed: true, ..known() };
        assert_eq!(blanks.step("List: `az ad app credential list --id {app_id}`").command, None);
        assert!(blanks.step("Look: `az ad sp show --id {app_id}`").command.is_some());
    }

    #[test]
    fn the_same_command_is_told_once() {
        let mut steps = Vec::new();
        for template in ["Look: `az a`", "See: `az a`", "Look again: `az b`", "Wait.", "Wait."] {
            add_all(&mut steps, vec![known().step(template)]);
        }
        let sentences: Vec<&str> = steps.iter().map(|step| step.sentence.as_str()).collect();
        assert_eq!(sentences, ["Look.", "Look again.", "Wait."]);
    }

    #[test]
    fn the_same_step_in_other_words_of_another_source_is_told_once() {
        let steps_of = |templates: &[&str]| {
            templates.iter().map(|text| known().step(text)).collect::<Vec<_>>()
        };
        let mut steps = Vec::new();
        add_all(
            &mut steps,
            steps_of(&[
                "See until when: `az ad app credential list --id {app_id} --query \"[]\"`",
                "The same for certificates: `az ad app credential list --id {app_id} --cert`",
                "Look at the address of the refused sign-in. If it is not yours, replace the credentials.",
            ]),
        );
        add_all(
            &mut steps,
            steps_of(&[
                "See the credentials: `az ad app credential list --id {app_id}`",
                "Look at the address of the refused sign-in. If it is not yours, treat the credential as stolen and replace it.",
                "Ask who changed it.",
            ]),
        );
        assert_eq!(steps.len(), 4, "{steps:?}");
        assert_eq!(steps[3].sentence, "Ask who changed it.");
    }

    #[test]
    fn a_search_by_a_name_that_is_not_known_is_no_step() {
        let template = "Look for its name: `az ad sp list --display-name {name}`";
        assert!(known().useful(template).is_some());
        assert!(Blanks::default().useful(template).is_none());
    }

    #[test]
    fn steps_of_the_catalogue_use_only_placeholders_that_exist() {
        for entry in super::super::Catalogue::shipped().entries() {
            for step in &entry.remedy {
                assert!(unknown_placeholders(step).is_empty(), "{}: {step}", entry.code);
            }
        }
    }
}
