//! Finds the brackets of JSON that stand outside its strings, 64 bytes at a time.
//!
//! Nothing is parsed: a record that is not quite JSON is still cut out whole.

/// Where the walk is between two blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Brackets {
    /// All ones inside a string.
    in_string: u64,
    /// The last byte was a backslash that escapes the next.
    escaped: bool,
}

/// The brackets of one block outside strings, a bit per byte.
pub(super) struct Found {
    pub(super) open: u64,
    pub(super) close: u64,
}

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
/// Gathers the lowest bit of eight bytes in the highest byte.
const GATHER: u64 = 0x0102_0408_1020_4080;

const QUOTE: u8 = 1;
const BACKSLASH: u8 = 2;
const OPEN: u8 = 4;
const CLOSE: u8 = 8;

impl Brackets {
    pub(super) fn in_string(self) -> bool {
        self.in_string != 0
    }

    /// Walks over one block. A block shorter than 64 bytes is the last before more input.
    pub(super) fn step(&mut self, block: &[u8]) -> Found {
        match block.try_into() {
            Ok(block) => self.full(block),
            Err(_) => self.short(block),
        }
    }

    fn full(&mut self, block: &[u8; 64]) -> Found {
        let mut kinds = [0_u8; 64];
        for (kind, byte) in kinds.iter_mut().zip(block) {
            // `{` and `[`, `}` and `]` differ in one bit.
            let either = byte | 0x20;
            *kind = u8::from(*byte == b'"') * QUOTE
                + u8::from(*byte == b'\\') * BACKSLASH
                + u8::from(either == b'{') * OPEN
                + u8::from(either == b'}') * CLOSE;
        }
        let [mut quotes, mut backslashes, mut open, mut close] = [0_u64; 4];
        for (index, word) in kinds.chunks_exact(8).enumerate() {
            let word = u64::from_le_bytes(word.try_into().expect("a chunk of 8 has 8 bytes"));
            let gather =
                |bit: u32| (((word >> bit) & LOW_BITS).wrapping_mul(GATHER) >> 56) << (8 * index);
            quotes |= gather(0);
            backslashes |= gather(1);
            open |= gather(2);
            close |= gather(3);
        }
        if backslashes != 0 || self.escaped {
            quotes &= !self.escapes(backslashes);
        }
        let outside = !(parity(quotes) ^ self.in_string);
        self.in_string = if outside >> 63 == 0 { u64::MAX } else { 0 };
        Found { open: open & outside, close: close & outside }
    }

    /// The bytes that a backslash escapes.
    fn escapes(&mut self, mut backslashes: u64) -> u64 {
        let mut escaped = u64::from(self.escaped);
        backslashes &= !escaped;
        self.escaped = false;
        while backslashes != 0 {
            let at = backslashes.trailing_zeros();
            if at == 63 {
                self.escaped = true;
                break;
            }
            escaped |= 2 << at;
            backslashes &= !(3 << at);
        }
        escaped
    }

    fn short(&mut self, block: &[u8]) -> Found {
        let mut found = Found { open: 0, close: 0 };
        for (at, byte) in block.iter().enumerate().take(64) {
            let escaped = std::mem::take(&mut self.escaped);
            match byte {
                b'\\' => self.escaped = !escaped,
                b'"' if !escaped => self.in_string = !self.in_string,
                b'{' | b'[' if self.in_string == 0 => found.open |= 1 << at,
                b'}' | b']' if self.in_string == 0 => found.close |= 1 << at,
                _ => {}
            }
        }
        found
    }
}

/// Bit n is set when an odd number of bits up to n is.
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whole_blocks_and_single_bytes_find_the_same(text in r#"[\\"{}\[\]a]{0,400}"#) {
            let bytes = text.as_bytes();
            let (mut fast, mut slow) = (Brackets::default(), Brackets::default());
            for block in bytes.chunks(64) {
                let found = fast.step(block);
                let expected = slow.short(block);
                prop_assert_eq!((found.open, found.close), (expected.open, expected.close));
                prop_assert_eq!(fast.in_string(), slow.in_string());
            }
        }
    }
}
