//! A clock that runs as fast as the work allows: while nothing is left to do but to wait, it is the time that the
//! first waits for. What is sent arrives at once, and no wait takes longer than it takes to be noticed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use signinel::clock::Clock;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// So long the runtime has to be at rest before the clock is moved, where everybody waits for it.
const AT_REST: Duration = Duration::from_millis(1);

/// Where somebody does not, that one may be waiting for the database: it is given so many times as much time,
/// and the clock is moved no further than this.
const AT_WORK: u32 = 4;
const STEP: Duration = Duration::from_mins(1);

pub(crate) struct Fast {
    start: DateTime<Utc>,
    origin: Instant,
    /// So many wait where nobody is at work.
    everybody: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    passed: Duration,
    number: u64,
    waiting: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl Fast {
    /// Begins at a time, for so many who wait. All that the runtime does has to be done by one thread of it.
    pub(crate) fn at(start: DateTime<Utc>, everybody: usize) -> Arc<Self> {
        let fast = Self { start, origin: Instant::now(), everybody, state: Mutex::default() };
        let (fast, runtime) = (Arc::new(fast), Handle::current());
        assert_eq!(runtime.metrics().num_workers(), 1);
        let weak = Arc::downgrade(&fast);
        std::thread::spawn(move || run(&weak, &runtime));
        fast
    }

    /// The first who waits waits no longer, or not so long.
    fn advance(&self, at_most: Duration) {
        let mut state = self.state.lock().unwrap();
        // Nobody waits any more where the other branch of a `select` was taken.
        state.waiting.retain(|_, wake| !wake.is_closed());
        let Some(((until, _), _)) = state.waiting.first_key_value() else { return };
        let (until, end) = (*until, state.passed.saturating_add(at_most));
        state.passed = state.passed.max(until.min(end));
        if until <= end
            && let Some((_, wake)) = state.waiting.pop_first()
        {
            let _ = wake.send(());
        }
    }

    fn everybody_waits(&self) -> bool {
        self.waiting() >= self.everybody
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        let state = self.state.lock().unwrap();
        state.waiting.values().filter(|wake| !wake.is_closed()).count()
    }

    fn passed(&self) -> Duration {
        self.state.lock().unwrap().passed
    }
}

/// Moves the clock whenever the runtime was at rest for a while. Its one thread counts each time it goes to rest and
/// each time it is woken, so the count is odd while it rests.
fn run(fast: &Weak<Fast>, runtime: &Handle) {
    let metrics = runtime.metrics();
    let (mut before, mut at_rest) = (0, 0);
    loop {
        std::thread::sleep(AT_REST);
        let Some(fast) = fast.upgrade() else { return };
        let now = metrics.worker_park_unpark_count(0);
        at_rest = if now == before && now % 2 == 1 { at_rest + 1 } else { 0 };
        before = now;
        if at_rest > 0 && fast.everybody_waits() {
            fast.advance(Duration::MAX);
        } else if at_rest > AT_WORK {
            fast.advance(STEP);
            at_rest = 0;
        }
    }
}

#[async_trait]
impl Clock for Fast {
    fn now(&self) -> DateTime<Utc> {
        self.start + TimeDelta::from_std(self.passed()).unwrap()
    }

    fn instant(&self) -> Instant {
        self.origin + self.passed()
    }

    async fn sleep(&self, span: Duration) {
        let (wake, woken) = oneshot::channel();
        {
            let mut state = self.state.lock().unwrap();
            state.number += 1;
            let place = (state.passed + span, state.number);
            state.waiting.insert(place, wake);
        }
        let _ = woken.await;
    }
}

/// The same, by the clock of another machine.
pub(crate) struct Skewed(pub(crate) Arc<Fast>, pub(crate) TimeDelta);

#[async_trait]
impl Clock for Skewed {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + self.1
    }

    fn instant(&self) -> Instant {
        self.0.instant()
    }

    async fn sleep(&self, span: Duration) {
        self.0.sleep(span).await;
    }
}
