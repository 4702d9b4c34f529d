//! How many requests one application may send to one tenant's logs: no 10 s stretch holds more.
//!
//! Graph counts requests when they arrive, we know only when we sent and when the answer began. So a
//! request counts from its sending until 10 s after its answer began, whatever the network did; but one
//! whose answer does not begin has arrived or never will, and holds its place not much longer.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::Clock;

/// The stretch that Graph counts over.
pub(super) const STRETCH: Duration = Duration::from_secs(10);

/// So long after it was sent a request has arrived, whether or not it is answered.
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);

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
    /// When those whose answer has not begun were sent, by number.
    in_flight: BTreeMap<u64, Instant>,
    sent: u64,
    /// When the answers of the last 10 s began, or when they should have.
    answered: Vec<Instant>,
    /// Nobody sends before then, for the service asked for that.
    rests_until: Option<Instant>,
    /// When the limit was last changed.
    learnt_at: Option<Instant>,
}

/// Leave to send one request. Drop it when the answer begins.
pub(super) struct Slot<'a> {
    budget: &'a Budget,
    number: u64,
    clock: &'a dyn Clock,
}

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
                in_flight: BTreeMap::new(),
                sent: 0,
                answered: Vec::new(),
                rests_until: None,
                learnt_at: None,
            }),
            turn: tokio::sync::Mutex::default(),
            freed: Notify::new(),
        }
    }

    /// Waits until one more request may be sent.
    pub(super) async fn take<'a>(&'a self, clock: &'a dyn Clock) -> Slot<'a> {
        let _turn = self.turn.lock().await;
        loop {
            let now = clock.instant();
            let until = match locked(&self.count).try_take(now) {
                Ok(number) => return Slot { budget: self, number, clock },
                Err(until) => until,
            };
            tokio::select! {
                () = clock.sleep(until.saturating_duration_since(now)) => {}
                () = self.freed.notified() => {}
            }
        }
    }
}

impl Budget {
    /// The service refused a request as one too many. What it counts it counts for all who share this
    /// budget, so all of them wait; and because it bears less than was thought, fewer are sent for a
    /// while.
    pub(super) fn refused(&self, wait: Duration, now: Instant) {
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
    /// Counts one more request in, or says from when on it may be tried again.
    fn try_take(&mut self, now: Instant) -> Result<u64, Instant> {
        // Exactly 10 s later is still the same stretch.
        self.answered.retain(|began| now.saturating_duration_since(*began) <= STRETCH);
        if let Some(until) = self.rests_until.filter(|until| *until > now) {
            return Err(until);
        }
        if self.limit < self.most
            && self.learnt_at.is_some_and(|at| now.duration_since(at) > FORGETS_AFTER)
        {
            self.limit += 1;
            self.learnt_at = Some(now);
        }
        let arrived = self.in_flight.values().map(|sent| *sent + ARRIVES_WITHIN);
        let counted: Vec<Instant> = arrived
            .filter(|by| now.saturating_duration_since(*by) <= STRETCH)
            .chain(self.answered.iter().copied())
            .collect();
        if counted.len() < self.limit {
            self.sent += 1;
            self.in_flight.insert(self.sent, now);
            return Ok(self.sent);
        }
        let first = counted.into_iter().min().unwrap_or(now);
        Err(first + STRETCH + Duration::from_millis(1))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut count = locked(&self.budget.count);
        if let Some(sent) = count.in_flight.remove(&self.number) {
            count.answered.push(self.clock.instant().min(sent + ARRIVES_WITHIN));
        }
        drop(count);
        self.budget.freed.notify_one();
    }
}

/// Nothing is half done while one of these locks is held, so a panic elsewhere does not spoil it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

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
                let slot = budget.take(&SystemClock).await;
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
        drop(budget.take(&SystemClock).await);
        let began = Instant::now();
        budget.refused(Duration::from_secs(40), Instant::now());
        budget.refused(Duration::from_secs(7), Instant::now());
        drop(budget.take(&SystemClock).await);
        assert!(began.elapsed() >= Duration::from_secs(40));
        let rate = async |requests: u32| {
            let began = Instant::now();
            for _ in 0..requests {
                drop(budget.take(&SystemClock).await);
            }
            began.elapsed()
        };
        assert!(rate(8).await >= STRETCH * 2, "four in ten seconds, not five");
        tokio::time::sleep(FORGETS_AFTER * 2).await;
        assert!(rate(5).await < STRETCH, "five again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_an_answer_holds_its_place_no_longer_than_it_may_count() {
        let budget = Budget::new(of(1));
        let began = Instant::now();
        let hung = budget.take(&SystemClock).await;
        drop(budget.take(&SystemClock).await);
        let waited = began.elapsed();
        assert!(waited > STRETCH && waited < STRETCH + ARRIVES_WITHIN * 2, "{waited:?}");
        // When it is given up after minutes, that is no request that comes just now.
        tokio::time::sleep(Duration::from_mins(5)).await;
        drop(hung);
        let began = Instant::now();
        drop(budget.take(&SystemClock).await);
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_given_up_while_waiting_takes_no_place() {
        let budget = Budget::new(of(1));
        drop(budget.take(&SystemClock).await);
        for _ in 0..3 {
            let given_up =
                tokio::time::timeout(Duration::from_secs(1), budget.take(&SystemClock)).await;
            assert!(given_up.is_err());
        }
        let began = Instant::now();
        drop(budget.take(&SystemClock).await);
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
