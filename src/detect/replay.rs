//! Takes the events of one rule and group up where their fold was put away, and says what became of
//! the findings.
//!
//! Events that come after all others go straight on from the last checkpoint. An event that is late
//! goes back to the checkpoint before it; from there all later events are folded again until the
//! state is what it was at an old checkpoint, from which on nothing can be different.

use std::collections::VecDeque;

use crate::detect::kinds::{Kind, Occurrence, State};
use crate::model::{Draft, EventId};
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoint;
use crate::store::findings::{Key, StoredFinding};

/// A state after an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Put {
    pub key: Key,
    pub folded: i64,
    pub state: State,
}

impl Put {
    /// Reads a state that was put away.
    pub(super) fn unpack(checkpoint: &Checkpoint) -> Result<Self, StoreError> {
        let state = postcard::from_bytes(&checkpoint.state).map_err(|error| {
            StoreError::Corrupt(format!("a checkpoint cannot be read: {error}"))
        })?;
        Ok(Self { key: checkpoint.key, folded: checkpoint.folded, state })
    }

    pub(super) fn pack(&self) -> Checkpoint {
        // Nearly all have room in as much; grown from nothing, each would be moved several times.
        let room = Vec::with_capacity(256);
        let state = postcard::to_extend(&self.state, room).expect("states are plain data");
        Checkpoint { key: self.key, folded: self.folded, state }
    }
}

/// The last place before an event.
pub(super) fn just_before((at, id): Key) -> Key {
    let last = u128::from_be_bytes(id.0).checked_sub(1);
    last.map_or((at - 1, EventId([0xff; 16])), |id| (at, EventId(id.to_be_bytes())))
}

/// The first place after an event.
pub(super) fn just_after((at, id): Key) -> Key {
    let next = u128::from_be_bytes(id.0).checked_add(1);
    next.map_or((at + 1, EventId([0; 16])), |id| (at, EventId(id.to_be_bytes())))
}

/// What has to be known of where a fold began.
#[derive(Debug)]
pub(super) struct Start {
    pub key: Key,
    /// Findings that could still grow.
    open: Vec<Draft>,
    /// Up to which time they were told.
    judged: i64,
    /// Its checkpoint, where that stays: one with less behind it is replaced by the next.
    pub stays: Option<Checkpoint>,
}

impl Start {
    /// The findings that could still grow, as far as they were told.
    pub(super) fn standing(&self) -> impl Iterator<Item = &Draft> {
        self.open.iter().filter(|draft| draft.detected_at <= self.judged)
    }

    fn is_open(&self, draft: &Draft) -> bool {
        is_among(&self.open, draft)
    }
}

/// A fold under way. What most have no need of stands apart, so that those of one identity are near each other.
#[derive(Debug)]
pub(super) struct Replay<'k> {
    kind: &'k Kind,
    state: State,
    key: Option<Key>,
    folded: i64,
    closed: Vec<Draft>,
    start: Option<Box<Start>>,
    ahead: Option<Box<Ahead>>,
}

/// What a fold that went back may meet.
#[derive(Debug)]
struct Ahead {
    spacing: i64,
    /// Checkpoints passed on the way, worth keeping.
    puts: Vec<Put>,
    /// Old checkpoints after the first new event, in order, still to be met.
    old: VecDeque<Put>,
    /// The last new event: only after it can the state be what it was.
    last_new: Key,
}

/// What a fold came to.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Where it began; `None` before all events.
    pub start: Option<Box<Start>>,
    /// Every finding of the stretch, in the order of their beginning.
    pub drafts: Vec<Draft>,
    /// Checkpoints to keep.
    pub puts: Vec<Put>,
    /// Where it has come to; `None` when nothing was folded, or when it met an old checkpoint.
    pub tail: Option<Put>,
    /// The old checkpoint at which all was as before; `None` when the fold went to the end.
    pub converged: Option<Put>,
    /// The last event folded.
    pub until: Option<Key>,
}

impl Outcome {
    /// Whether there is nothing found, and was nothing that could still grow.
    pub(super) fn is_quiet(&self) -> bool {
        let start = self.start.as_ref();
        self.drafts.is_empty() && start.is_none_or(|start| start.standing().next().is_none())
    }
}

impl<'k> Replay<'k> {
    /// Begins after a checkpoint, or before all events. `judged` says up to which time findings of a state that may
    /// still grow are told.
    pub(super) fn begin(
        (kind, spacing): (&'k Kind, i64),
        from: Option<Put>,
        judged: impl FnOnce(&State) -> i64,
    ) -> Self {
        let key = from.as_ref().map(|from| from.key);
        let (start, state, folded) = match from {
            None => (None, kind.start(), 0),
            Some(from) => {
                let stays = from.folded >= spacing;
                let start = Start {
                    key: from.key,
                    open: kind.open(&from.state),
                    judged: judged(&from.state),
                    stays: stays.then(|| from.pack()),
                };
                (Some(Box::new(start)), from.state, if stays { 0 } else { from.folded })
            }
        };
        Self { kind, state, key, folded, closed: Vec::new(), start, ahead: None }
    }

    /// With the old checkpoints that may be met, and the last new event: before it, meeting one means nothing.
    pub(super) fn ahead_of(self, spacing: i64, old: Vec<Put>, last_new: Key) -> Self {
        let ahead = Ahead { spacing, puts: Vec::new(), old: old.into(), last_new };
        Self { ahead: Some(Box::new(ahead)), ..self }
    }

    /// Takes the next event; `true` when nothing after it can be different.
    pub(super) fn step(&mut self, event: &Occurrence<'_>) -> bool {
        self.kind.step(&mut self.state, event, &mut self.closed);
        let key = (event.at, event.id);
        self.key = Some(key);
        self.folded += 1;
        let Some(ahead) = &mut self.ahead else { return false };
        if ahead.is_met(key, &self.state) {
            return true;
        }
        if self.folded >= ahead.spacing && !ahead.old.is_empty() {
            ahead.puts.push(Put { key, folded: self.folded, state: self.state.clone() });
            self.folded = 0;
        }
        false
    }

    /// Ends where the last event was taken. `judged` says up to which time findings of a state that may
    /// still grow are told.
    pub(super) fn end(self, is_met: bool, judged: impl FnOnce(&State) -> i64) -> Outcome {
        let (puts, mut old) =
            self.ahead.map_or_else(Default::default, |ahead| (ahead.puts, ahead.old));
        let converged = if is_met { old.pop_front() } else { None };
        let (mut drafts, mut tail) = (self.closed, None);
        if converged.is_none() {
            let judged = judged(&self.state);
            let open = self.kind.open(&self.state).into_iter();
            drafts.extend(open.filter(|draft| draft.detected_at <= judged));
            tail = self.key.map(|key| Put { key, folded: self.folded, state: self.state });
        }
        drafts.sort_by_key(|draft| (draft.started_at, draft.first_event));
        Outcome { start: self.start, drafts, puts, tail, converged, until: self.key }
    }
}

impl Ahead {
    /// Whether the state after an event is what it was, and nothing new comes behind it.
    fn is_met(&mut self, key: Key, state: &State) -> bool {
        while self.old.front().is_some_and(|old| old.key < key) {
            self.old.pop_front();
        }
        let is_same = |old: &Put| old.key == key && old.state == *state;
        key >= self.last_new && self.old.front().is_some_and(is_same)
    }
}

/// The stored findings that a fold speaks about: those that were open where it began, or were met on
/// its way. Those that are open where it met an old checkpoint are as before.
pub(super) fn spoken_of(
    kind: &Kind,
    stored: Vec<StoredFinding>,
    outcome: &Outcome,
) -> Vec<StoredFinding> {
    let going_on = outcome.converged.as_ref().map_or_else(Vec::new, |put| kind.open(&put.state));
    stored
        .into_iter()
        .filter(|finding| {
            let draft = &finding.draft;
            let is_after = outcome.start.as_ref().is_none_or(|start| {
                (draft.last_at, draft.last_event) > start.key || start.is_open(draft)
            });
            // Where a fold went to the end, nothing is behind it, even what was found to be missing there.
            let is_before = outcome.converged.is_none()
                || outcome
                    .until
                    .is_some_and(|until| (draft.detected_at, draft.detected_by) <= until);
            is_after && is_before && !is_among(&going_on, draft)
        })
        .collect()
}

fn is_among(open: &[Draft], draft: &Draft) -> bool {
    let begins = |draft: &Draft| (draft.started_at, draft.first_event);
    open.iter().any(|open| begins(open) == begins(draft) && value(open) == value(draft))
}

fn value(draft: &Draft) -> Option<&String> {
    draft.measures.get("value")
}

/// What to do with a stored finding or a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Insert(Draft),
    /// It is still found and differs: the finding as it was, and as it is now.
    Update(StoredFinding, Draft),
    /// It is still found as it was, and waits to hear that.
    Confirm(StoredFinding),
    /// It is part of another finding now.
    Merge(StoredFinding),
    Withdraw(StoredFinding),
}

/// Compares what is stored with what was found. A finding keeps its row as long as it keeps its first
/// event, or else overlaps what it became.
pub(super) fn compare(stored: Vec<StoredFinding>, drafts: Vec<Draft>) -> Vec<Change> {
    let mut stored: Vec<Option<StoredFinding>> = stored.into_iter().map(Some).collect();
    let mut changes = Vec::new();
    let mut taken: Vec<Draft> = Vec::new();
    let mut rest = Vec::new();
    for draft in drafts {
        let is_same = |old: &StoredFinding| {
            old.draft.first_event == draft.first_event && value(&old.draft) == value(&draft)
        };
        match take(&mut stored, is_same) {
            Some(old) => changes.extend(changed(old, &draft)),
            None => rest.push(draft.clone()),
        }
        taken.push(draft);
    }
    for draft in rest {
        let overlaps = |old: &StoredFinding| overlap(&old.draft, &draft);
        match take(&mut stored, overlaps) {
            Some(old) => changes.extend(changed(old, &draft)),
            None => changes.push(Change::Insert(draft)),
        }
    }
    changes.extend(stored.into_iter().flatten().map(|old| {
        if taken.iter().any(|draft| overlap(&old.draft, draft)) {
            Change::Merge(old)
        } else {
            Change::Withdraw(old)
        }
    }));
    changes
}

fn take(
    stored: &mut [Option<StoredFinding>],
    is_it: impl Fn(&StoredFinding) -> bool,
) -> Option<StoredFinding> {
    stored.iter_mut().find(|old| old.as_ref().is_some_and(&is_it))?.take()
}

fn changed(old: StoredFinding, draft: &Draft) -> Option<Change> {
    match (old.draft == *draft, old.unconfirmed) {
        (true, false) => None,
        (true, true) => Some(Change::Confirm(old)),
        (false, _) => Some(Change::Update(old, draft.clone())),
    }
}

fn overlap(one: &Draft, other: &Draft) -> bool {
    value(one) == value(other) && one.started_at <= other.last_at && other.started_at <= one.last_at
}
