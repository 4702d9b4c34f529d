//! How many requests one application may send to one tenant's logs: no 10 s stretch holds more.
//!
//! Graph counts requests when they arrive, we know only when we sent and when the answer began. So a
//! request counts from its sending until 10 s after its answer began, whatever the network did.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The stretch that Graph counts over.
pub(super) const STRETCH: Duration = Duration::from_secs(10);

/// After so long without a refusal, one request more is tried.
const FORGETS_AFTER: Duration = Duration::from_mins(10);

/// Whom Graph counts: a tenant, and what signs in to it.
type Key = (String, String);

/// Every budget in use in this program.
static IN_USE: LazyLock<Mutex<HashMap<Key, Weak<Budget>>>> = LazyLock::new(Mutex::default);

/// Requests that may be sent, shared by all that Graph counts as one.
#[derive(Debug)]
pub(super) struct Budget {
    count: Mutex<Count>,
    /// Held by the one who is next, so that requests go in the order in which they were asked for.
    turn: tokio::sync::Mutex<()>,
    freed: Notify,
}

#[derive(Debug)]
struct Count {
    /// What the configuration allows.
    most: usize,
    /// What the service was found to bear: less than that after it refused.
    limit: usize,
    in_flight: usize,
    /// When the answers of the last 10 s began, oldest first.
    answered: VecDeque<Instant>,
    /// Nobody sends before then, for the service asked for that.
    rests_until: Option<Instant>,
    /// When the limit was last changed.
    learnt_at: Option<Instant>,
}

/// Leave to send one request. Drop it when the answer begins.
#[derive(Debug)]
pub(super) struct Slot<'a>(&'a Budget);

impl Budget {
    /// The budget of a tenant and what signs in to it; where two sources share it, the smaller limit
    /// holds for both.
    pub(super) fn of(tenant: &str, credential: &str, limit: NonZeroU32) -> Arc<Self> {
        let mut in_use = locked(&IN_USE);
        in_use.retain(|_, budget| budget.strong_count() > 0);
        let key = (tenant.to_lowercase(), credential.to_lowercase());
        if let Some(budget) = in_use.get(&key).and_then(Weak::upgrade) {
            let mut count = locked(&budget.count);
            count.most = count.most.min(limit.get() as usize);
            count.limit = count.limit.min(count.most);
            drop(count);
            return budget;
        }
        let budget = Arc::new(Self::new(limit));
        in_use.insert(key, Arc::downgrade(&budget));
        budget
    }

    fn new(limit: NonZeroU32) -> Self {
        Self {
            count: Mutex::new(Count {
                most: limit.get() as usize,
                limit: limit.get() as usize,
                in_flight: 0,
                answered: VecDeque::new(),
                rests_until: None,
                learnt_at: None,
            }),
            turn: tokio::sync::Mutex::default(),
            freed: Notify::new(),
        }
    }

    /// Waits until one more request may be sent.
    pub(super) async fn take(&self) -> Slot<'_> {
        let _turn = self.turn.lock().await;
        loop {
            let wait = match locked(&self.count).try_take(Instant::now()) {
                Ok(()) => return Slot(self),
                Err(wait) => wait,
            };
            match wait {
                Some(until) => tokio::time::sleep_until(until).await,
                None => self.freed.notified().await,
            }
        }
    }
}

impl Budget {
    /// The service refused a request as one too many. What it counts it counts for all who share this
    /// budget, so all of them wait; and because it bears less than was thought, fewer are sent for a
    /// while.
    pub(super) fn refused(&self, wait: Duration) {
        let now = Instant::now();
        let mut count = locked(&self.count);
        let until = now + wait;
        count.rests_until = count.rests_until.max(Some(until));
        // Requests that were under way together are refused together: that is one lesson.
        if count.learnt_at.is_none_or(|at| now.duration_since(at) > STRETCH) {
            count.limit = (count.limit * 4 / 5).max(1);
            count.learnt_at = Some(now);
        }
    }
}

impl Count {
    /// Counts one more request in, or says from when on it may be tried again; no time where all
    /// that count are still without an answer.
    fn try_take(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        // Exactly 10 s later is still the same stretch.
        while self.answered.front().is_some_and(|began| now.duration_since(*began) > STRETCH) {
            self.answered.pop_front();
        }
        if let Some(until) = self.rests_until.filter(|until| *until > now) {
            return Err(Some(until));
        }
        if self.limit < self.most
            && self.learnt_at.is_some_and(|at| now.duration_since(at) > FORGETS_AFTER)
        {
            self.limit += 1;
            self.learnt_at = Some(now);
        }
        if self.in_flight + self.answered.len() < self.limit {
            self.in_flight += 1;
            return Ok(());
        }
        Err(self.answered.front().map(|began| *began + STRETCH + Duration::from_millis(1)))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut count = locked(&self.0.count);
        count.in_flight -= 1;
        count.answered.push_back(Instant::now());
        drop(count);
        self.0.freed.notify_one();
    }
}

/// Nothing is half done while one of these locks is held, so a panic elsewhere does not spoil it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(limit: u32) -> NonZeroU32 {
        NonZeroU32::new(limit).unwrap()
    }

    /// Whether some closed stretch of 10 s holds more than `limit` of the times.
    fn holds_more(times: &[Instant], limit: usize) -> bool {
        times.windows(limit + 1).any(|run| run[limit].duration_since(run[0]) <= STRETCH)
    }

    #[tokio::test(start_paused = true)]
    async fn no_stretch_of_ten_seconds_holds_more_than_the_limit() {
        let budget = Arc::new(Budget::new(of(5)));
        let times = Arc::new(Mutex::new(Vec::new()));
        let requests = |task: u64, budget: Arc<Budget>, times: Arc<Mutex<Vec<Instant>>>| async move {
            for request in 0..15 {
                let slot = budget.take().await;
                // On the way, out and back: each request as long as no other.
                tokio::time::sleep(Duration::from_millis(37 * task)).await;
                times.lock().unwrap().push(Instant::now());
                tokio::time::sleep(Duration::from_millis(71 * request % 400)).await;
                drop(slot);
            }
        };
        let tasks: Vec<_> = (0..4)
            .map(|task| tokio::spawn(requests(task, Arc::clone(&budget), Arc::clone(&times))))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut times = times.lock().unwrap().clone();
        times.sort();
        assert_eq!(times.len(), 60);
        assert!(!holds_more(&times, 5));
        assert!(holds_more(&times, 4), "the budget is not used to the full");
        let whole = times[59].duration_since(times[0]);
        assert!(whole < Duration::from_secs(125), "60 requests took {whole:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_refusal_all_wait_as_asked_and_then_send_less_for_a_while() {
        let budget = Budget::new(of(5));
        drop(budget.take().await);
        let began = Instant::now();
        budget.refused(Duration::from_secs(40));
        budget.refused(Duration::from_secs(7));
        drop(budget.take().await);
        assert!(began.elapsed() >= Duration::from_secs(40));
        let rate = async |requests: u32| {
            let began = Instant::now();
            for _ in 0..requests {
                drop(budget.take().await);
            }
            began.elapsed()
        };
        assert!(rate(8).await >= STRETCH * 2, "four in ten seconds, not five");
        tokio::time::sleep(FORGETS_AFTER * 2).await;
        assert!(rate(5).await < STRETCH, "five again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_an_answer_holds_its_place() {
        let budget = Budget::new(of(1));
        let slot = budget.take().await;
        let began = Instant::now();
        let ((), second) = tokio::join!(
            async {
                tokio::time::sleep(Duration::from_secs(90)).await;
                drop(slot);
            },
            budget.take()
        );
        assert!(began.elapsed() > Duration::from_secs(100));
        drop(second);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_given_up_while_waiting_takes_no_place() {
        let budget = Budget::new(of(1));
        drop(budget.take().await);
        for _ in 0..3 {
            let given_up = tokio::time::timeout(Duration::from_secs(1), budget.take()).await;
            assert!(given_up.is_err());
        }
        let began = Instant::now();
        drop(budget.take().await);
        assert!(began.elapsed() < Duration::from_secs(8));
    }

    #[test]
    fn one_budget_for_one_application_in_one_tenant_and_none_left_behind() {
        let one = Budget::of("Tenant-Of-This-Test", "client a", of(5));
        let same = Budget::of("tenant-of-this-test", "client a", of(3));
        let other = Budget::of("tenant-of-this-test", "client b", of(5));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        assert_eq!(locked(&one.count).limit, 3);
        drop((one, same, other));
        let fresh = Budget::of("tenant-of-this-test", "client a", of(5));
        assert_eq!(locked(&fresh.count).limit, 5);
        let left = locked(&IN_USE).keys().filter(|key| key.0 == "tenant-of-this-test").count();
        assert_eq!(left, 1);
    }
}
