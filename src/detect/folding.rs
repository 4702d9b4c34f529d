//! Folds the events of a chunk into their groups, identity by identity, while SQLite's thread writes where the ones
//! before have come to.

use chrono::{DateTime, Utc};

use super::arrived::Arrived;
use super::change::Others;
use super::folds::{Folds, Step};
use super::pass::Found;
use super::stage::Detector;
use super::walk::Walk;
use crate::store::{StoreError, Writing};

/// Groups folded, at least, while those before are written.
const AT_ONCE: usize = 1_024;

impl Detector {
    /// Folds all that is changed, by events that arrived or otherwise.
    pub(super) async fn fold(
        &mut self,
        writing: &mut Writing,
        arrived: (&Arrived, &[u32]),
        others: Others,
        last_seq: i64,
        now: DateTime<Utc>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let mut walk = Walk::new(arrived, others, &self.meanings);
        loop {
            let mut writes = std::mem::take(&mut self.writes);
            let (written, (steps, goes_on)) =
                tokio::join!(writes.flush_some(writing), self.steps(&mut walk));
            written?;
            // What was left over comes first.
            writes.append(std::mem::take(&mut self.writes));
            self.writes = writes;
            for (pair, step) in steps {
                match step {
                    Step::Goes(outcome) => {
                        self.settle(writing, pair, outcome, None, now, found).await?;
                    }
                    Step::GoesBack { tail, is_heir, change } => {
                        let tail = (tail, is_heir);
                        self.again(writing, pair, tail, change, last_seq, now, found).await?;
                    }
                }
            }
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Folds the next groups. What is left to be done for them, and whether there are more.
    async fn steps(&mut self, walk: &mut Walk<'_>) -> (Vec<((usize, i64), Step)>, bool) {
        let (mut steps, mut folds) = (Vec::new(), Folds::of(self));
        while folds.are_under_way() || steps.len() + folds.put_away_so_far() < AT_ONCE {
            if !walk.goes_on(&mut folds, &mut steps) {
                return (steps, false);
            }
            // SQLite's thread may wait for more.
            tokio::task::yield_now().await;
        }
        (steps, true)
    }
}
