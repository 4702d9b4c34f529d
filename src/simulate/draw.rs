//! Chance that comes out the same on every machine.
//!
//! Each subject (an identity, one of its days, a story) has a stream of its own, so that what one
//! draws never moves what another gets, and any stretch can be made alone. Only whole numbers are
//! drawn: floating-point functions differ between machines.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::{Builder, Uuid};

/// What a stream is for: the same numbers under another purpose are another stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Identity = 1,
    Day = 2,
    Placing = 3,
    Story = 4,
}

/// A stream of draws.
#[derive(Debug)]
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    pub(super) fn new(seed: u64, purpose: Purpose, first: u64, second: i64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = purpose as u8;
        key[16..24].copy_from_slice(&first.to_le_bytes());
        key[24..].copy_from_slice(&second.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.0.next_u64()) * u128::from(bound);
        u64::try_from(product >> 64).expect("the upper half of 128 bits has 64")
    }

    /// A time or a span from `low` up to, not including, `high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low.saturating_add_unsigned(self.below(high.saturating_sub(low).max(0).unsigned_abs()))
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        let bound = u64::try_from(len).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).expect("it is below a length")
    }

    pub(super) fn pick<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.index(items.len())]
    }

    pub(super) fn percent(&mut self, chances: u64) -> bool {
        self.below(100) < chances
    }

    pub(super) fn guid(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The id of a sign-in: Entra's end in a small number and a zero.
    pub(super) fn sign_in_id(&mut self) -> [u8; 16] {
        let mut bytes = *self.guid().as_bytes();
        bytes[14] %= 10;
        bytes[15] = 0;
        bytes
    }
}
