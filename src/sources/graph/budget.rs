//! How many requests one application may send to one tenant's logs: no 10 s stretch holds more.
//!
//! Graph counts requests when they arrive, we know only when we sent and when the answer began. So a
//! request counts from its sending until 10 s after its answer began, whatever the network did; but one
//! whose answer does not begin has arrived or never will, and holds its place not much longer.
//!
//! A program that is killed and started again is one to Graph. So what may be sent is written down before it is, a
//! few requests at once where many are allowed, and counts for the next start as if all of it had been sent late.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::model::Sent;
use crate::sources::Memory;

/// The stretch that Graph counts over.
pub(super) const STRETCH: Duration = Duration::from_secs(10);

/// So long after it was sent a request has arrived, whether or not it is answered.
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);

/// What was written down beforehand is sent within this, or written down anew.
const LAPSES_AFTER: Duration = Duration::from_secs(1);

/// Longer than what is written down may still count.
const OF_LATE: TimeDelta = TimeDelta::seconds(30);

/// So many times within what is allowed it is written down what is to be sent.
const PARTS: usize = 50;

/// After so long without a refusal, one request more is tried.
const FORGETS_AFTER: Duration = Duration::from_mins(10);

/// Whom Graph counts: a tenant, and what signs in to it.
type Key = (String, String);

/// Every budget in use in this program.
static IN_USE: LazyLock<Mutex<HashMap<Key, Weak<Budget>>>> = LazyLock::new(Mutex::default);

/// Requests that may be sent, shared by all that Graph counts as one.
pub(super) struct Budget {
    count: Mutex<Count>,
    key: Key,
    /// Held by the one who is next, so that requests go in the order in which they were asked for.
    turn: tokio::sync::Mutex<Turn>,
    freed: Notify,
    memory: Mutex<Option<Arc<dyn Memory>>>,
    /// Held by whoever writes down, so that the later is written later.
    writing: tokio::sync::Mutex<()>,
}

/// What the one who is next knows.
#[derive(Debug, Default)]
struct Turn {
    is_recalled: bool,
    /// Requests that are written down and were not sent yet, and how long they may be.
    ahead: usize,
    until: Option<Instant>,
}

#[derive(Debug)]
struct Count {
    /// What the configuration allows.
    most: usize,
    /// What the service was found to bear: less than that after it refused.
    limit: usize,
    /// When those whose answer has not begun were sent, by number.
    in_flight: BTreeMap<u64, Instant>,
    number: u64,
    /// When the answers of the last 10 s began, or when they should have.
    answered: Vec<Instant>,
    /// Nobody sends before then, for the service asked for that.
    rests_until: Option<Instant>,
    /// When the limit was last changed.
    learnt_at: Option<Instant>,
    /// What the next start is to know, by the time of the machine.
    sent: Sent,
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
        let budget = Arc::new(Self::new(key.clone(), limit));
        in_use.insert(key, Arc::downgrade(&budget));
        budget
    }

    fn new(key: Key, limit: NonZeroU32) -> Self {
        Self {
            key,
            count: Mutex::new(Count {
                most: limit.get() as usize,
                limit: limit.get() as usize,
                in_flight: BTreeMap::new(),
                number: 0,
                answered: Vec::new(),
                rests_until: None,
                learnt_at: None,
                sent: Sent::default(),
            }),
            turn: tokio::sync::Mutex::default(),
            freed: Notify::new(),
            memory: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        }
    }

    /// Waits until one more request may be sent.
    pub(super) async fn take<'a>(&'a self, clock: &'a dyn Clock) -> Slot<'a> {
        let mut turn = self.turn.lock().await;
        if !std::mem::replace(&mut turn.is_recalled, true) {
            self.recall(clock).await;
        }
        loop {
            let now = clock.instant();
            let room = locked(&self.count).room(now);
            let until = match room {
                // Writing takes time, in which a rest may be asked for.
                Ok(()) if self.writes_ahead(&mut turn, clock).await => continue,
                Ok(()) => {
                    let number = locked(&self.count).take(now);
                    return Slot { budget: self, number, clock };
                }
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
    pub(super) async fn refused(&self, wait: Duration, clock: &dyn Clock) {
        locked(&self.count).refused(wait, clock);
        self.write().await;
    }

    /// What it is to remember from now on, and where from.
    pub(super) fn remember(&self, memory: &Arc<dyn Memory>) {
        *locked(&self.memory) = Some(Arc::clone(memory));
    }

    /// Takes up what the program before this one sent and was told.
    async fn recall(&self, clock: &dyn Clock) {
        let Some(memory) = locked(&self.memory).clone() else { return };
        match memory.recall(&self.key.0, &self.key.1).await {
            Ok(sent) => locked(&self.count).recall(sent, clock),
            Err(error) => {
                tracing::warn!(tenant = self.key.0, "requests sent before are not known: {error}");
            }
        }
    }

    /// Whether it had to be written down first that a request is to be sent.
    async fn writes_ahead(&self, turn: &mut Turn, clock: &dyn Clock) -> bool {
        if locked(&self.memory).is_none() {
            return false;
        }
        if turn.ahead > 0 && turn.until.is_some_and(|until| clock.instant() < until) {
            turn.ahead -= 1;
            return false;
        }
        {
            let mut count = locked(&self.count);
            turn.ahead = (count.limit / PARTS).max(1);
            let at = clock.now();
            let is_of_late = |(sent, _): &(DateTime<Utc>, u32)| (at - *sent).abs() < OF_LATE;
            count.sent.requests.retain(is_of_late);
            count.sent.requests.push((at, u32::try_from(turn.ahead).unwrap_or(u32::MAX)));
        }
        self.write().await;
        turn.until = Some(clock.instant() + LAPSES_AFTER);
        true
    }

    async fn write(&self) {
        let Some(memory) = locked(&self.memory).clone() else { return };
        let _writing = self.writing.lock().await;
        let sent = locked(&self.count).sent.clone();
        // A full disk stops the program by itself.
        if let Err(error) = memory.keep(&self.key.0, &self.key.1, &sent).await {
            tracing::warn!(tenant = self.key.0, "it is not kept what was sent: {error}");
        }
    }
}

impl Count {
    fn refused(&mut self, wait: Duration, clock: &dyn Clock) {
        let (now, at) = (clock.instant(), clock.now());
        self.rests_until = self.rests_until.max(Some(now + wait));
        let rests = self.rests_until.map_or(wait, |until| until - now);
        self.sent.rest = TimeDelta::from_std(rests).ok().map(|rests| (at, at + rests));
        // Requests that were under way together are refused together: that is one lesson.
        if self.learnt_at.is_none_or(|at| now.duration_since(at) > STRETCH) {
            self.limit = (self.limit * 4 / 5).max(1);
            self.learnt_at = Some(now);
            self.sent.bears = u32::try_from(self.limit).ok().map(|bears| (bears, at));
        }
    }

    /// Nobody knows of a request that was written down when it arrived: as late as it may have. A clock that was set
    /// back makes it no older.
    fn recall(&mut self, sent: Sent, clock: &dyn Clock) {
        let (now, at) = (clock.instant(), clock.now());
        let age = |then: DateTime<Utc>| (at - then).to_std().unwrap_or_default();
        for (then, number) in &sent.requests {
            let arrived = age(*then).saturating_sub(LAPSES_AFTER + ARRIVES_WITHIN);
            if arrived <= STRETCH {
                let began = now.checked_sub(arrived).unwrap_or(now);
                self.answered.extend((0..*number).map(|_| began));
            }
        }
        if let Some((told_at, until)) = sent.rest {
            let rests = (until - at).min(until - told_at).to_std().unwrap_or_default();
            // Times are kept to the microsecond, and a wait is not shorter for that.
            let rests = rests + Duration::from_micros(1);
            self.rests_until = self.rests_until.max(Some(now + rests));
        }
        if let Some((bears, learnt_at)) = sent.bears {
            let forgotten = age(learnt_at).as_secs() / FORGETS_AFTER.as_secs();
            let bears = (bears as usize).saturating_add(usize::try_from(forgotten).unwrap_or(0));
            self.limit = bears.clamp(1, self.most);
            self.learnt_at = Some(now);
        }
        self.sent = sent;
    }

    /// Whether one more request may be sent; if not, from when on it may be tried again.
    fn room(&mut self, now: Instant) -> Result<(), Instant> {
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
            return Ok(());
        }
        let first = counted.into_iter().min().unwrap_or(now);
        Err(first + STRETCH + Duration::from_millis(1))
    }

    /// Counts one more request in.
    fn take(&mut self, now: Instant) -> u64 {
        self.number += 1;
        self.in_flight.insert(self.number, now);
        self.number
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
        let budget = Arc::new(Budget::new(Key::default(), of(5)));
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
        let budget = Budget::new(Key::default(), of(5));
        drop(budget.take(&SystemClock).await);
        let began = Instant::now();
        budget.refused(Duration::from_secs(40), &SystemClock).await;
        budget.refused(Duration::from_secs(7), &SystemClock).await;
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
        let budget = Budget::new(Key::default(), of(1));
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
        let budget = Budget::new(Key::default(), of(1));
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

    /// A memory of one application.
    #[derive(Default)]
    struct Kept(Mutex<Sent>);

    #[async_trait::async_trait]
    impl Memory for Kept {
        async fn recall(&self, _: &str, _: &str) -> Result<Sent, String> {
            Ok(locked(&self.0).clone())
        }
        async fn keep(&self, _: &str, _: &str, sent: &Sent) -> Result<(), String> {
            *locked(&self.0) = sent.clone();
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_counts_what_was_sent_before_it_and_rests_and_spares_as_was_told() {
        let kept = Arc::new(Kept::default());
        let start = || {
            let budget = Budget::new(Key::default(), of(5));
            budget.remember(&(Arc::clone(&kept) as Arc<dyn Memory>));
            budget
        };
        // Killed with its requests under way.
        let first = start();
        for _ in 0..5 {
            std::mem::forget(first.take(&SystemClock).await);
        }
        let (second, began) = (start(), Instant::now());
        drop(second.take(&SystemClock).await);
        assert!(began.elapsed() > STRETCH, "{:?}", began.elapsed());
        second.refused(Duration::from_mins(10), &SystemClock).await;
        let (third, began) = (start(), Instant::now());
        drop(third.take(&SystemClock).await);
        let rested = began.elapsed();
        assert!(
            rested > Duration::from_secs(590) && rested < Duration::from_secs(601),
            "{rested:?}"
        );
        assert_eq!(locked(&third.count).limit, 4);
        // The machine's clock was a day ahead.
        let ahead = |at: DateTime<Utc>| at + TimeDelta::days(1);
        let mut sent = locked(&kept.0).clone();
        sent.requests.iter_mut().for_each(|(at, _)| *at = ahead(*at));
        sent.rest = sent.rest.map(|(told_at, until)| (ahead(told_at), ahead(until)));
        *locked(&kept.0) = sent;
        let (fourth, began) = (start(), Instant::now());
        drop(fourth.take(&SystemClock).await);
        assert!(began.elapsed() < Duration::from_secs(601), "{:?}", began.elapsed());
        assert!(locked(&kept.0).requests.iter().all(|(at, _)| *at < SystemClock.now()));
    }

    #[tokio::test(start_paused = true)]
    async fn where_many_are_allowed_not_each_is_written_down() {
        let kept: Arc<Kept> = Arc::default();
        let budget = Budget::new(Key::default(), of(1000));
        budget.remember(&(Arc::clone(&kept) as Arc<dyn Memory>));
        for _ in 0..100 {
            drop(budget.take(&SystemClock).await);
        }
        let written: Vec<u32> =
            locked(&kept.0).requests.iter().map(|(_, number)| *number).collect();
        assert_eq!(written, [20; 5]);
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
