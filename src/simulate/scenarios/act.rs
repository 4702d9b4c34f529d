//! The stage of one story: who plays, who is refused, who is answered, and what changes for good.

use std::ops::Range;
use std::sync::Arc;

use crate::simulate::draw::Draw;
use crate::simulate::fleet::Identity;
use crate::simulate::target::Target;
use crate::simulate::{Attempt, Mark};

/// What becomes of the ordinary sign-ins of an identity in a span of time.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) span: Range<i64>,
    /// How it shows itself then; `None`: there are none.
    pub(super) instead: Option<Arc<Identity>>,
}

#[derive(Debug)]
pub(super) struct Act {
    pub(super) draw: Draw,
    /// When the story begins.
    pub(super) at: i64,
    /// The time that is simulated.
    pub(super) stretch: Range<i64>,
    pub(super) cast: Vec<Arc<Identity>>,
    pub(super) attempts: Vec<Attempt>,
    /// By place in the cast.
    pub(super) changes: Vec<(usize, Change)>,
    pub(super) successor: Option<Arc<Identity>>,
}

impl Act {
    pub(super) fn new(draw: Draw, at: i64, stretch: Range<i64>, cast: Vec<Arc<Identity>>) -> Self {
        Self { draw, at, stretch, cast, attempts: Vec::new(), changes: Vec::new(), successor: None }
    }

    /// The one whom the story is about.
    pub(super) fn hero(&self) -> Arc<Identity> {
        Arc::clone(&self.cast[0])
    }

    fn attempt(
        &mut self,
        at: i64,
        who: &Arc<Identity>,
        target: &'static Target,
        code: i64,
        mark: Mark,
    ) {
        let (id, correlation_id) = (self.draw.sign_in_id(), self.draw.guid());
        let who = Arc::clone(who);
        self.attempts.push(Attempt { at, id, correlation_id, who, target, code, mark });
    }

    /// An attempt that the label tells of; code 0 is a token issued.
    pub(super) fn told(
        &mut self,
        at: i64,
        who: &Arc<Identity>,
        target: &'static Target,
        code: i64,
    ) {
        self.attempt(at, who, target, code, Mark::Told);
    }

    /// A token in the ordinary run of things.
    pub(super) fn ordinary(&mut self, at: i64, who: &Arc<Identity>, target: &'static Target) {
        self.attempt(at, who, target, 0, Mark::Ordinary);
    }

    /// Refused again and again, from the beginning until `until`, with pauses out of `pause`.
    pub(super) fn refused_until(
        &mut self,
        until: i64,
        pause: &Range<i64>,
        who: &Arc<Identity>,
        target: &'static Target,
        code: i64,
    ) {
        let mut at = self.at;
        while at < until {
            self.told(at, who, target, code);
            at += self.draw.between(pause.start, pause.end);
        }
    }

    /// All is well again: a token for each of its resources.
    pub(super) fn recovered(&mut self, at: i64, who: &Arc<Identity>) {
        let mut at = at;
        for target in who.targets {
            self.attempt(at, who, target, 0, Mark::Recovered);
            at += self.draw.between(1_000_000, 20_000_000);
        }
    }

    /// So many tokens from the beginning on, with pauses out of `pause`, for one of the targets after the other.
    pub(super) fn tokens(
        &mut self,
        count: usize,
        pause: &Range<i64>,
        who: &Arc<Identity>,
        targets: &[&'static Target],
    ) {
        let mut at = self.at;
        for target in targets.iter().cycle().take(count) {
            self.told(at, who, target, 0);
            at += self.draw.between(pause.start, pause.end);
        }
    }

    /// The hero's ordinary sign-ins do not happen from the beginning until `until`.
    pub(super) fn silenced_until(&mut self, until: i64) {
        self.silent(0, self.at..until);
    }

    /// One of the cast does not sign in, save what the story tells.
    pub(super) fn silent(&mut self, member: usize, span: Range<i64>) {
        self.changes.push((member, Change { span, instead: None }));
    }

    /// One of the cast, who was not heard from the beginning on but for what the story tells, is well again.
    pub(super) fn back(&mut self, member: usize, at: i64) {
        let who = Arc::clone(&self.cast[member]);
        self.recovered(at, &who);
        self.silent(member, self.at..at);
    }

    /// The hero is not there before the story.
    pub(super) fn born(&mut self) {
        self.silent(0, i64::MIN..self.at);
    }

    /// From `since` on the hero shows itself as `instead`.
    pub(super) fn becomes(&mut self, since: i64, instead: &Arc<Identity>) {
        let instead = Some(Arc::clone(instead));
        self.changes.push((0, Change { span: since..i64::MAX, instead }));
    }
}
