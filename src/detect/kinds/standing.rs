//! How near a fold is to a finding at one event, for people who ask why.

use rsigma_parser::ConditionOperator;
use serde::Serialize;

use super::window::Condition;

/// What a fold goes by at one event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Microseconds back to where events count; `None` for kinds without a window.
    #[serde(skip)]
    pub window: Option<i64>,
    pub measures: Vec<Measure>,
}

/// One thing that has to be so for a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measure {
    pub what: String,
    pub is: String,
    /// What would be enough; `None` where it is only good to know.
    pub enough: Option<String>,
    pub met: bool,
}

impl Standing {
    pub(super) fn of_window(timespan: i64) -> Self {
        Self { window: Some(timespan), measures: Vec::new() }
    }

    /// Adds what has to be so.
    #[expect(clippy::needless_pass_by_value, reason = "numbers are told like texts")]
    pub(super) fn needs(
        mut self,
        what: impl Into<String>,
        is: impl ToString,
        enough: impl Into<String>,
        met: bool,
    ) -> Self {
        let (what, enough) = (what.into(), Some(enough.into()));
        self.measures.push(Measure { what, is: is.to_string(), enough, met });
        self
    }

    /// Adds what is good to know.
    #[expect(clippy::needless_pass_by_value, reason = "numbers are told like texts")]
    pub(super) fn knows(mut self, what: impl Into<String>, is: impl ToString) -> Self {
        let what = what.into();
        self.measures.push(Measure { what, is: is.to_string(), enough: None, met: true });
        self
    }
}

/// A number that is counted no further than to a bound, as a text that does not claim more.
pub(super) fn up_to(count: u64, bound: u64) -> String {
    if bound > 0 && count >= bound { format!("at least {count}") } else { count.to_string() }
}

impl Condition {
    /// The least that is enough, as a number where there is one.
    pub(super) fn least(&self) -> String {
        self.enough().map_or_else(|| self.words(), |least| least.to_string())
    }

    /// What would be enough.
    pub(super) fn words(&self) -> String {
        let words = self.0.iter().map(|(operator, bound)| match operator {
            ConditionOperator::Lt => format!("fewer than {bound}"),
            ConditionOperator::Lte => format!("{bound} or fewer"),
            ConditionOperator::Gt => format!("more than {bound}"),
            ConditionOperator::Gte => format!("{bound} or more"),
            ConditionOperator::Eq => format!("{bound}"),
            ConditionOperator::Neq => format!("not {bound}"),
        });
        words.collect::<Vec<_>>().join(" and ")
    }
}
