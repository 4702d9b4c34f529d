//! A sliding window of events, and the findings that windows which meet a condition make together.

use std::collections::{BTreeMap, VecDeque};

use rsigma_parser::ConditionOperator;
use serde::{Deserialize, Serialize};

use super::Occurrence;
use crate::model::{Draft, EventId, NAMED_AT_MOST};

/// What a count must be for a rule to be met; all comparisons must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition(pub Vec<(ConditionOperator, u64)>);

impl Condition {
    #[must_use]
    pub fn holds(&self, count: u64) -> bool {
        self.0.iter().all(|(operator, bound)| match operator {
            ConditionOperator::Lt => count < *bound,
            ConditionOperator::Lte => count <= *bound,
            ConditionOperator::Gt => count > *bound,
            ConditionOperator::Gte => count >= *bound,
            ConditionOperator::Eq => count == *bound,
            ConditionOperator::Neq => count != *bound,
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

/// The events of the last timespan and the finding that may still grow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Windowed {
    pub marks: VecDeque<Mark>,
    pub open: Option<Draft>,
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

    /// Judges the window at its last event. Windows that meet the condition and share an event make
    /// one finding; one that shares none closes the finding before it.
    pub(super) fn judge(&mut self, is_met: bool, at: i64, timespan: i64, closed: &mut Vec<Draft>) {
        let begin = at.saturating_sub(timespan);
        if let Some(open) = self.open.take_if(|open| open.last_at <= begin) {
            closed.push(open);
        }
        if !is_met {
            return;
        }
        match &mut self.open {
            None => self.open = self::begin(&self.marks),
            Some(open) => {
                let last = (open.last_at, open.last_event);
                for mark in self.marks.iter().filter(|mark| mark.key() > last) {
                    absorb(open, mark);
                }
            }
        }
    }
}
