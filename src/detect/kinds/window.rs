//! A sliding window of events, and the findings that windows which meet a condition make together.

use std::collections::{BTreeMap, VecDeque};

use rsigma_parser::ConditionOperator;
use serde::{Deserialize, Serialize};

use super::Occurrence;
use crate::model::{Draft, EventId, NAMED_AT_MOST};

/// Events a window holds at most; past that the oldest are let go and counted in the finding.
pub(super) const WINDOW_AT_MOST: usize = 50_000;

/// What a count must be for a rule to be met; all comparisons must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition(pub Vec<(ConditionOperator, u64)>);

impl Condition {
    #[must_use]
    pub fn holds(&self, count: u64) -> bool {
        self.holds_for((i128::from(count), 1))
    }

    /// Whether it holds for a number given as numerator and denominator, which is above 0.
    #[must_use]
    pub fn holds_for(&self, (numerator, denominator): (i128, i128)) -> bool {
        self.0.iter().all(|(operator, bound)| {
            let order = numerator.cmp(&(i128::from(*bound) * denominator));
            match operator {
                ConditionOperator::Lt => order.is_lt(),
                ConditionOperator::Lte => order.is_le(),
                ConditionOperator::Gt => order.is_gt(),
                ConditionOperator::Gte => order.is_ge(),
                ConditionOperator::Eq => order.is_eq(),
                ConditionOperator::Neq => order.is_ne(),
            }
        })
    }

    /// The count from which on it holds for good: a window that has so many need remember no more.
    #[must_use]
    pub fn enough(&self) -> Option<u64> {
        self.0
            .iter()
            .map(|(operator, bound)| match operator {
                ConditionOperator::Gt => Some(bound.saturating_add(1)),
                ConditionOperator::Gte => Some(*bound),
                _ => None,
            })
            .try_fold(0, |enough, bound| Some(enough.max(bound?)))
    }
}

/// An event that a fold remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub at: i64,
    pub id: EventId,
    pub identity: i64,
    pub resource: i64,
    pub code: i64,
}

impl From<&Occurrence<'_>> for Mark {
    fn from(event: &Occurrence<'_>) -> Self {
        Self {
            at: event.at,
            id: event.id,
            identity: event.identity,
            resource: event.resource,
            code: event.code,
        }
    }
}

impl Mark {
    fn key(&self) -> (i64, EventId) {
        (self.at, self.id)
    }
}

/// Begins a finding with its first events, met at the last of them.
pub(super) fn begin<'m>(marks: impl IntoIterator<Item = &'m Mark>) -> Option<Draft> {
    let mut marks = marks.into_iter();
    let first = marks.next()?;
    let mut draft = Draft {
        started_at: first.at,
        first_event: first.id,
        detected_at: first.at,
        detected_by: first.id,
        last_at: first.at,
        last_event: first.id,
        event_count: 0,
        codes: BTreeMap::new(),
        identities: Vec::new(),
        resources: Vec::new(),
        measures: BTreeMap::new(),
    };
    absorb(&mut draft, first);
    marks.for_each(|mark| absorb(&mut draft, mark));
    draft.detected_at = draft.last_at;
    draft.detected_by = draft.last_event;
    Some(draft)
}

/// Begins another finding with its first event, in the place of one that is not needed any more: nothing has to
/// be allocated for that.
pub(super) fn begin_again(draft: &mut Draft, mark: &Mark) {
    draft.started_at = mark.at;
    draft.first_event = mark.id;
    draft.detected_at = mark.at;
    draft.detected_by = mark.id;
    draft.event_count = 0;
    draft.codes.retain(|code, count| {
        *count = 0;
        *code == mark.code
    });
    draft.identities.clear();
    draft.resources.clear();
    draft.measures.clear();
    absorb(draft, mark);
}

/// Adds the next event to a finding.
pub(super) fn absorb(draft: &mut Draft, mark: &Mark) {
    draft.last_at = mark.at;
    draft.last_event = mark.id;
    draft.event_count += 1;
    *draft.codes.entry(mark.code).or_default() += 1;
    for (named, number) in
        [(&mut draft.identities, mark.identity), (&mut draft.resources, mark.resource)]
    {
        if named.len() < NAMED_AT_MOST && !named.contains(&number) {
            named.push(number);
        }
    }
}

/// Adds a finding to the one just before it.
pub(super) fn join(draft: &mut Draft, next: &Draft) {
    draft.last_at = next.last_at;
    draft.last_event = next.last_event;
    draft.event_count += next.event_count;
    for (code, count) in &next.codes {
        *draft.codes.entry(*code).or_default() += count;
    }
    for (named, numbers) in
        [(&mut draft.identities, &next.identities), (&mut draft.resources, &next.resources)]
    {
        for number in numbers {
            if named.len() < NAMED_AT_MOST && !named.contains(number) {
                named.push(*number);
            }
        }
    }
}

/// The events of the last timespan and the finding that may still grow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Windowed {
    pub marks: VecDeque<Mark>,
    pub open: Option<Box<Draft>>,
}

impl Windowed {
    /// Moves the window on to an event; what left it is given to `left`. The window is half-open: an
    /// event exactly one timespan old is out of it.
    pub(super) fn advance(
        &mut self,
        event: &Occurrence<'_>,
        timespan: i64,
        mut left: impl FnMut(&Mark),
    ) {
        let begin = event.at.saturating_sub(timespan);
        while let Some(mark) = self.marks.pop_front_if(|mark| mark.at <= begin) {
            left(&mark);
        }
        self.marks.push_back(Mark::from(event));
    }

    /// Lets the oldest go where there are too many; gives how many.
    pub(super) fn bound(&mut self, at_most: usize) -> u64 {
        let over = self.marks.len().saturating_sub(at_most);
        self.marks.drain(..over);
        over as u64
    }

    /// Says in the finding how many events its windows could not hold.
    pub(super) fn tell_evicted(&mut self, evicted: u64) {
        if let Some(open) = self.open.as_mut().filter(|_| evicted > 0) {
            open.measures.insert("evicted".to_owned(), evicted.to_string());
        }
    }

    /// Judges the window at its last event. Windows that meet the condition and share an event make
    /// one finding; one that shares none closes the finding before it.
    pub(super) fn judge(&mut self, is_met: bool, at: i64, timespan: i64, closed: &mut Vec<Draft>) {
        let begin = at.saturating_sub(timespan);
        if let Some(open) = self.open.take_if(|open| open.last_at <= begin) {
            closed.push(*open);
        }
        if !is_met {
            return;
        }
        match &mut self.open {
            None => self.open = self::begin(&self.marks).map(Box::new),
            Some(open) => {
                let last = (open.last_at, open.last_event);
                for mark in self.marks.iter().filter(|mark| mark.key() > last) {
                    absorb(open, mark);
                }
            }
        }
    }
}
