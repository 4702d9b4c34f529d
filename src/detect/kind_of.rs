//! What a correlation looks for: its kind, read out of Sigma's words and those under `signinel:`.

use rsigma_parser::{
    ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType,
};

use super::extension::{Extension, ExtensionKind};
use super::kinds::{
    Absence, Awakening, Baseline, Condition, EventCount, FirstSeen, Kind, Needs, Newcomer, Ratio,
    Rhythm, Statistic, Streak, Temporal, TemporalOrdered, ValueCount, ValueStatistic, WEEK, Which,
};

pub(super) const SECOND: i64 = 1_000_000;

/// The kind of a correlation; `faults` says all that keeps it from having one.
pub(super) fn kind(
    rule: &CorrelationRule,
    extension: &Extension,
    faults: &mut Vec<String>,
) -> Option<Kind> {
    let before = faults.len();
    let kind = made(&mut Making { rule, extension, faults });
    // What stood in for a number that is missing is no kind.
    kind.filter(|_| faults.len() == before)
}

/// A kind in the making, with what is wrong so far.
struct Making<'r> {
    rule: &'r CorrelationRule,
    extension: &'r Extension,
    faults: &'r mut Vec<String>,
}

fn made(making: &mut Making<'_>) -> Option<Kind> {
    let timespan = making.timespan();
    let (rule, extension) = (making.rule, making.extension);
    if extension.kind.is_none()
        && matches!(
            rule.correlation_type,
            CorrelationType::Temporal | CorrelationType::TemporalOrdered
        )
    {
        return temporal(rule, timespan).map_err(|fault| making.faults.push(fault)).ok();
    }
    let CorrelationCondition::Threshold { predicates, percentile, .. } = &rule.condition else {
        return making.fault("`condition` must compare a count, such as `gte: 10`");
    };
    let condition = Condition(predicates.clone());
    if let Some(ours) = extension.kind {
        return Some(making.own(ours, timespan, condition));
    }
    let statistic = |statistic| {
        let condition = condition.clone();
        Some(Kind::ValueStatistic(ValueStatistic { timespan, condition, statistic }))
    };
    match rule.correlation_type {
        CorrelationType::EventCount => Some(Kind::EventCount(EventCount { timespan, condition })),
        CorrelationType::ValueCount => Some(Kind::ValueCount(ValueCount { timespan, condition })),
        CorrelationType::ValueSum => statistic(Statistic::Sum),
        CorrelationType::ValueAvg => statistic(Statistic::Average),
        CorrelationType::ValueMedian => statistic(Statistic::Median),
        CorrelationType::ValuePercentile => match percentile.unwrap_or(50) {
            percent @ 0..=100 => statistic(Statistic::Percentile(percent)),
            other => making.fault(format!("`condition.percentile: {other}` is not from 0 to 100")),
        },
        other => making.fault(format!("`type: {}` is not evaluated yet", other.as_str())),
    }
}

impl Making<'_> {
    fn fault<T>(&mut self, sentence: impl Into<String>) -> Option<T> {
        self.faults.push(sentence.into());
        None
    }

    fn timespan(&mut self) -> i64 {
        i64::try_from(self.rule.timespan.seconds)
            .ok()
            .and_then(|seconds| seconds.checked_mul(SECOND))
            .filter(|timespan| *timespan > 0)
            .or_else(|| self.fault("`timespan` must be longer than nothing: write `10m`"))
            .unwrap_or(SECOND)
    }

    /// A kind that Sigma has not.
    fn own(&mut self, kind: ExtensionKind, timespan: i64, condition: Condition) -> Kind {
        let learn_events = self.extension.learn_events;
        match kind {
            ExtensionKind::Streak => Kind::Streak(Streak {
                length: self.least(&condition, "a streak"),
                at_least: self.at_least().unwrap_or(0),
            }),
            ExtensionKind::FirstSeen => Kind::FirstSeen(FirstSeen {
                timespan,
                learn_for: self.learn_for(),
                learn_events,
                known_at_most: self.extension.known_at_most.unwrap_or(FirstSeen::VALUES_AT_MOST),
                least: self.least(&condition, "`first_seen`"),
                at_least: self.at_least().unwrap_or(0),
            }),
            ExtensionKind::Newcomer => {
                Kind::Newcomer(Newcomer { timespan, least: self.least(&condition, "`newcomer`") })
            }
            ExtensionKind::Awakening => Kind::Awakening(Awakening {
                timespan,
                at_least: self
                    .at_least()
                    .or_else(|| {
                        self.fault(missing("at_least", "how long a silence is one, as in `30d`"))
                    })
                    .unwrap_or(0),
                factor: self.factor(),
                learn_events: learn_events.max(1),
            }),
            ExtensionKind::Rhythm => Kind::Rhythm(Rhythm {
                timespan,
                least: self.least(&condition, "`rhythm`"),
                learn_for: self.learn_for(),
                learn_events,
            }),
            ExtensionKind::Ratio => self.ratio(timespan, condition),
            ExtensionKind::Absence => self.absence(timespan),
            ExtensionKind::Baseline => self.baseline(timespan, &condition),
        }
    }

    fn ratio(&mut self, timespan: i64, condition: Condition) -> Kind {
        let Extension { of, percent, turns, .. } = self.extension;
        if of.is_empty() {
            self.faults.push(
                "`of` is missing: list the rules of the whole that a share is found of".to_owned(),
            );
        }
        if !(1..=100).contains(percent) {
            self.faults.push(format!("`percent: {percent}` is not from 1 to 100"));
        }
        Kind::Ratio(Ratio { timespan, condition, percent: *percent, turns: *turns })
    }

    fn absence(&mut self, timespan: i64) -> Kind {
        let at_least = self.at_least().unwrap_or(0);
        let at_most = self.span("at_most", self.extension.at_most.as_ref());
        let most = at_most.unwrap_or(timespan);
        if most < at_least {
            let key = if at_most.is_some() { "at_most" } else { "timespan" };
            self.faults.push(format!("`{key}` is less than `at_least`: make it longer"));
        }
        Kind::Absence(Absence {
            timespan,
            factor: self.factor(),
            at_least,
            at_most: most,
            learn_for: self.learn_for(),
            learn_events: self.extension.learn_events,
        })
    }

    fn baseline(&mut self, timespan: i64, condition: &Condition) -> Kind {
        const AN_HOUR: i64 = 3_600 * SECOND;
        let weeks = timespan / (WEEK * AN_HOUR);
        let learn_for = self.learn_for();
        if learn_for < WEEK * AN_HOUR {
            self.faults.push("`learn_for` of a baseline is a week at least: write `7d`".to_owned());
        }
        if weeks * WEEK * AN_HOUR < learn_for || weeks > 52 {
            self.faults.push(
                "`timespan` of a baseline is as many weeks as `learn_for` or more, up to a year: \
                 write `4w`"
                    .to_owned(),
            );
        }
        let rare = self.extension.rare;
        if rare == 0 {
            self.faults
                .push(missing("rare", "of how many hours at most one was as busy, as in 200"));
        }
        let factor = u64::try_from(self.factor()).unwrap_or(1);
        let minimum = self.least(condition, "a baseline");
        Kind::Baseline(Baseline { weeks, minimum, factor, rare, learn_for })
    }

    fn factor(&mut self) -> i64 {
        i64::try_from(self.extension.factor)
            .ok()
            .filter(|factor| *factor > 0)
            .or_else(|| {
                self.fault(missing("factor", "how many times the usual is too much, as in 3"))
            })
            .unwrap_or(1)
    }

    fn learn_for(&mut self) -> i64 {
        self.span("learn_for", self.extension.learn_for.as_ref()).unwrap_or(0)
    }

    fn at_least(&mut self) -> Option<i64> {
        self.span("at_least", self.extension.at_least.as_ref())
    }

    /// The number of a condition that is `gte` alone.
    fn least(&mut self, condition: &Condition, whose: &str) -> u64 {
        match condition.0[..] {
            [(ConditionOperator::Gte, number)] if number > 0 => number,
            _ => self
                .fault(format!("`condition` of {whose} is `gte` and a number above 0"))
                .unwrap_or(1),
        }
    }

    /// A span of time in microseconds.
    fn span(&mut self, key: &str, text: Option<&String>) -> Option<i64> {
        let text = text?;
        humantime::parse_duration(text)
            .ok()
            .and_then(|duration| i64::try_from(duration.as_micros()).ok())
            .or_else(|| self.fault(format!("`{key}: {text}` is not a span of time: write \"7d\"")))
    }
}

fn missing(key: &str, what: &str) -> String {
    format!("`{key}` is missing: {what}")
}

fn temporal(rule: &CorrelationRule, timespan: i64) -> Result<Kind, String> {
    if rule.rules.len() > Which::AT_MOST {
        return Err(format!("`correlation.rules` lists more than {} rules", Which::AT_MOST));
    }
    let is_ordered = rule.correlation_type == CorrelationType::TemporalOrdered;
    let needs = match &rule.condition {
        // What the parser makes of an absent condition: each rule at least once.
        CorrelationCondition::Threshold { predicates, field: None, percentile: None }
            if *predicates == [(ConditionOperator::Gte, 1)] =>
        {
            Needs::All((0..rule.rules.len()).map(Needs::Rule).collect())
        }
        CorrelationCondition::Extended(expression) if !is_ordered => {
            needs(expression, &rule.rules)?
        }
        _ if is_ordered => {
            return Err(
                "`temporal_ordered` has no `condition`: the rules in their order".to_owned()
            );
        }
        _ => {
            return Err(
                "`temporal` has no `condition`, or one such as `one and (two or three)`".to_owned()
            );
        }
    };
    Ok(if is_ordered {
        Kind::TemporalOrdered(TemporalOrdered { timespan, length: rule.rules.len() })
    } else {
        Kind::Temporal(Temporal { timespan, needs })
    })
}

fn needs(expression: &ConditionExpr, rules: &[String]) -> Result<Needs, String> {
    let several = |expressions: &[ConditionExpr]| {
        expressions.iter().map(|expression| needs(expression, rules)).collect::<Result<Vec<_>, _>>()
    };
    match expression {
        ConditionExpr::And(all) => several(all).map(Needs::All),
        ConditionExpr::Or(any) => several(any).map(Needs::Any),
        ConditionExpr::Not(one) => Ok(Needs::Not(Box::new(needs(one, rules)?))),
        ConditionExpr::Identifier(name) => rules
            .iter()
            .position(|rule| rule == name)
            .map(Needs::Rule)
            .ok_or_else(|| format!("`condition` names `{name}`, which is not in `rules`")),
        ConditionExpr::Selector { .. } => {
            Err("`condition` of `temporal` names rules with `and`, `or`, `not`".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::detect::Rulebook;

    const DETECTION: &str = "title: one\nlogsource: {product: azure}\ndetection:\n  it:\n    outcome: success\n  \
                             condition: it\nsigninel: {category: building_block}\n";

    /// What is said of a correlation of `one` with these keys.
    fn said(correlation: &str, ours: &str) -> String {
        let text = format!(
            "title: r\ncorrelation:\n  rules: [one]\n  group-by: [identity]\n{correlation}\nsigninel: {{{ours}}}\n"
        );
        let files = [("one", DETECTION.to_owned()), ("r", text)];
        match Rulebook::read(
            &files.map(|(name, text)| (PathBuf::from(format!("{name}.yml")), text)),
        ) {
            Ok(_) => String::new(),
            Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        }
    }

    #[test]
    fn a_figure_needs_numbers() {
        let of = |field: &str| {
            let condition =
                format!("  type: value_sum\n  timespan: 1h\n  condition: {{{field}gte: 3}}");
            said(&condition, "")
        };
        assert_eq!(of("field: status.errorCode, "), "");
        assert!(of("field: resource, ").contains("`resource` has no numbers"));
        assert!(of("").contains("`condition.field` is missing"));
    }

    #[test]
    fn a_percentile_is_of_a_hundred() {
        let of = |percentile: u64| {
            said(
                &format!(
                    "  type: value_percentile\n  timespan: 1h\n  \
                     condition: {{field: status.errorCode, percentile: {percentile}, gte: 3}}"
                ),
                "",
            )
        };
        assert_eq!(of(100), "");
        assert!(of(101).contains("not from 0 to 100"));
    }

    #[test]
    fn the_condition_of_a_temporal_rule_names_its_rules() {
        let of = |kind: &str, condition: &str| {
            said(&format!("  type: {kind}\n  timespan: 1h\n{condition}"), "")
        };
        assert_eq!(of("temporal", ""), "");
        assert_eq!(of("temporal", "  condition: one"), "");
        assert!(
            of("temporal", "  condition: one and two").contains("`two`, which is not in `rules`")
        );
        assert!(
            of("temporal", "  condition: {gte: 2}").contains("has no `condition`, or one such as")
        );
        assert!(of("temporal_ordered", "  condition: one").contains("has no `condition`"));
        assert!(
            said("  type: event_count\n  timespan: 1h\n  condition: {gte: 1}\n  aliases: {who: {one: appId}}", "")
                .contains("`aliases` are for `temporal`")
        );
    }

    #[test]
    fn a_correlation_of_itself_is_told_apart_from_a_slip() {
        let text = "title: r\ncorrelation:\n  type: event_count\n  rules: [NAME]\n  group-by: [identity]\n  \
                    timespan: 1h\n  condition: {gte: 2}\n";
        let of = |name: &str| {
            let file = (PathBuf::from("r.yml"), text.replace("NAME", name));
            let faults = Rulebook::read(&[file]).unwrap_err();
            faults.iter().map(ToString::to_string).collect::<String>()
        };
        assert!(of("r").contains("in a circle"));
        assert!(of("s").contains("no such detection rule"));
    }

    #[test]
    fn findings_are_counted_by_what_they_have() {
        let of = |inner: &str, outer: &str| {
            let text = |rules: &str, more: &str| {
                format!(
                    "title: r\ncorrelation:\n  type: event_count\n  rules: [{rules}]\n  timespan: 1h\n  \
                     condition: {{gte: 2}}\n  {more}\n"
                )
            };
            let outer = outer.split_once('|').unwrap();
            let files = [
                ("one", DETECTION.to_owned()),
                ("inner", text("one", inner)),
                ("outer", text(outer.0, outer.1)),
            ];
            let read = Rulebook::read(
                &files.map(|(name, text)| (PathBuf::from(format!("{name}.yml")), text)),
            );
            match read {
                Ok(book) => {
                    assert!(book.rules["inner"].is_quiet != outer.1.contains("generate"));
                    String::new()
                }
                Err(faults) => faults.iter().map(ToString::to_string).collect(),
            }
        };
        let by_both = "group-by: [identity, resource]";
        assert_eq!(of(by_both, "inner|group-by: [identity]"), "");
        assert_eq!(of(by_both, "inner|group-by: [tenantId]\n  generate: true"), "");
        assert!(
            of(by_both, "inner|group-by: [appId]").contains("`appId` is no value of what `inner`")
        );
        assert!(
            of(by_both, "inner, one|group-by: [identity]").contains("both detection rules and")
        );
        assert!(
            of(by_both, "inner|group-by: [identity]\nsigninel: {kind: streak}")
                .contains("`kind: streak` is of events")
        );
    }

    #[test]
    fn our_kinds_say_which_number_is_missing() {
        let count = "  type: event_count\n  timespan: 4w\n  condition: {gte: 3}";
        let of = |ours: &str| said(count, ours);
        assert!(of("kind: ratio, percent: 5").contains("`of` is missing"));
        assert!(of("kind: ratio, of: [one], percent: 101").contains("not from 1 to 100"));
        assert!(of("of: [one]").contains("`of` is for `kind: ratio` only"));
        assert!(of("kind: absence").contains("`factor` is missing"));
        assert!(of("kind: absence, factor: 2, at_least: 2h, at_most: 1h").contains("is less than"));
        assert!(of("kind: absence, factor: 2, at_least: soon").contains("not a span of time"));
        assert_eq!(of("kind: absence, factor: 2"), "");
        assert!(
            of("kind: baseline, factor: 2, rare: 9, learn_for: 6d").contains("a week at least")
        );
        assert!(
            of("kind: baseline, factor: 2, rare: 9, learn_for: 5w").contains("as many weeks as")
        );
        assert!(of("kind: baseline, factor: 2, learn_for: 7d").contains("`rare` is missing"));
        assert_eq!(of("kind: baseline, factor: 2, rare: 9, learn_for: 7d"), "");
        assert!(
            of("inherits: true")
                .contains("`inherits` is for `kind: first_seen`, `baseline`, `rhythm` only")
        );
        assert!(of("known_at_most: 3").contains("is for `kind: first_seen` only"));
        let busy = "kind: baseline, factor: 2, rare: 9, learn_for: 7d, inherits: true";
        assert_eq!(of(busy), "");
    }

    #[test]
    fn what_is_hidden_hides_nothing_itself() {
        let of = |name: &str, hides: &str| {
            let text = format!(
                "title: {name}\ncorrelation:\n  type: event_count\n  rules: [one]\n  group-by: [tenantId]\n  \
                 timespan: 1h\n  condition: {{gte: 2}}\nsigninel: {{hides: [{hides}]}}\n"
            );
            (PathBuf::from(format!("{name}.yml")), text)
        };
        let read = |files: [(PathBuf, String); 2]| {
            let one = (PathBuf::from("one.yml"), DETECTION.to_owned());
            Rulebook::read(&[&files[..], &[one]].concat()).map_err(|faults| faults.len())
        };
        assert!(read([of("cause", "symptom"), of("symptom", "")]).is_ok());
        assert_eq!(read([of("cause", "symptom, taken_away"), of("symptom", "")]).unwrap_err(), 1);
        assert_eq!(read([of("cause", "symptom"), of("symptom", "cause")]).unwrap_err(), 2);
    }
}
