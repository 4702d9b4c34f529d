//! A figure over the numbers of a field in so long: Sigma's `value_sum`, `value_avg`, `value_percentile`
//! and `value_median`, in whole numbers throughout so that no rounding decides.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::absence::span;
use super::window::{Condition, WINDOW_AT_MOST, Windowed};
use super::{Fold, Occurrence, Standing};
use crate::model::Draft;

/// What is made of the numbers in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    Sum,
    Average,
    /// From 0 to 100; between two numbers it lies in proportion.
    Percentile(u64),
    Median,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueStatistic {
    /// Microseconds.
    pub timespan: i64,
    pub condition: Condition,
    pub statistic: Statistic,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    window: Windowed,
    /// The numbers of the window's events, in the order of the events.
    numbers: VecDeque<i64>,
    /// How often each number is in the window.
    counts: BTreeMap<i64, u64>,
    sum: i128,
    evicted: u64,
}

/// A number as numerator and denominator; the latter is above 0.
type Fraction = (i128, i128);

impl State {
    fn let_go(numbers: &mut VecDeque<i64>, counts: &mut BTreeMap<i64, u64>, sum: &mut i128) {
        let Some(number) = numbers.pop_front() else { return };
        *sum -= i128::from(number);
        if let Some(count) = counts.get_mut(&number) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&number);
            }
        }
    }

    /// The number at a place in ascending order, from 0.
    fn at(&self, place: u64) -> i128 {
        let mut passed = 0;
        let found = self.counts.iter().find(|(_, count)| {
            passed += **count;
            passed > place
        });
        found.map_or(0, |(number, _)| i128::from(*number))
    }

    /// Between two neighbours the percentile lies in proportion, as in most tools of statistics.
    fn percentile(&self, percent: u64) -> Fraction {
        let rank = percent.min(100) * (self.numbers.len() as u64).saturating_sub(1);
        let (low, rest) = (self.at(rank / 100), i128::from(rank % 100));
        if rest == 0 {
            return (low, 1);
        }
        (low * 100 + (self.at(rank / 100 + 1) - low) * rest, 100)
    }
}

impl Fold for ValueStatistic {
    type State = State;

    fn name(&self) -> &'static str {
        match self.statistic {
            Statistic::Sum => "value_sum",
            Statistic::Average => "value_avg",
            Statistic::Percentile(_) => "value_percentile",
            Statistic::Median => "value_median",
        }
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        state.window.open.as_deref().cloned().into_iter().collect()
    }

    fn enough(&self) -> String {
        let figure = match self.statistic {
            Statistic::Sum => "a sum".to_owned(),
            Statistic::Average => "an average".to_owned(),
            Statistic::Median => "a median".to_owned(),
            Statistic::Percentile(percent) => format!("a percentile {percent}"),
        };
        format!("{figure} of {} within {}", self.condition.words(), span(self.timespan))
    }

    fn standing(
        &self,
        (_, after): (&State, &State),
        event: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let standing = Standing::of_window(self.timespan);
        if event.value.parse::<i64>().is_err() {
            return standing.needs("a number that counts", "none", "any", false);
        }
        let figure = self.figure(after);
        standing.knows("events in the window", after.window.marks.len()).needs(
            self.name().trim_start_matches("value_"),
            text(figure),
            self.condition.words(),
            self.condition.holds_for(figure),
        )
    }

    /// An event without a number is not of the rule.
    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        let Ok(number) = event.value.parse::<i64>() else { return };
        let State { window, numbers, counts, sum, evicted } = state;
        window.advance(event, self.timespan, |_| State::let_go(numbers, counts, sum));
        numbers.push_back(number);
        *counts.entry(number).or_default() += 1;
        *sum += i128::from(number);
        while window.marks.len() > WINDOW_AT_MOST {
            window.marks.pop_front();
            State::let_go(numbers, counts, sum);
            *evicted += 1;
        }
        let figure = self.figure(state);
        let is_met = self.condition.holds_for(figure);
        state.window.judge(is_met, event.at, self.timespan, closed);
        state.window.tell_evicted(state.evicted);
        let Some(open) = state.window.open.as_mut().filter(|_| is_met) else { return };
        let word = self.name().trim_start_matches("value_").to_owned();
        open.measures.entry(word).or_insert_with(|| text(figure));
    }
}

impl ValueStatistic {
    fn figure(&self, state: &State) -> Fraction {
        match self.statistic {
            Statistic::Sum => (state.sum, 1),
            Statistic::Average => (state.sum, state.numbers.len().max(1) as i128),
            Statistic::Percentile(percent) => state.percentile(percent),
            Statistic::Median => state.percentile(50),
        }
    }
}

/// To two places, cut and not rounded: what is told never says that a bound was reached which was not.
fn text((numerator, denominator): Fraction) -> String {
    let hundredths = (numerator * 100).div_euclid(denominator);
    match (hundredths.div_euclid(100), hundredths.rem_euclid(100)) {
        (whole, 0) => whole.to_string(),
        _ if hundredths < 0 => format!("-{}.{:02}", -hundredths / 100, -hundredths % 100),
        (whole, rest) => format!("{whole}.{rest:02}"),
    }
}
