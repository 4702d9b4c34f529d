//! What a file is known again by when it has changed: the first and the last bytes of what was taken of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// So many bytes at each end.
pub(super) const KNOWN_BY: u64 = 4 << 10;

/// The first and the last bytes of what was taken.
#[derive(Debug, Default)]
pub(super) struct Ends {
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Ends {
    pub(super) fn of(first: Vec<u8>, last: Vec<u8>) -> Self {
        Self { first, last }
    }

    /// These come behind what was taken before.
    pub(super) fn takes(&mut self, bytes: &[u8]) {
        let most = usize::try_from(KNOWN_BY).expect("it is small");
        let room = most - self.first.len();
        self.first.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.last.extend_from_slice(&bytes[bytes.len().saturating_sub(most)..]);
        let over = self.last.len().saturating_sub(most);
        self.last.drain(..over);
    }

    /// Empty where nothing was taken.
    pub(super) fn digest(&self) -> String {
        if self.first.is_empty() {
            return String::new();
        }
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(&self.first);
        context.update(&self.last);
        URL_SAFE_NO_PAD.encode(context.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_come_to_the_ends_of_the_whole() {
        let bytes: Vec<u8> = (0..20_000_u32).flat_map(u32::to_be_bytes).collect();
        let most = usize::try_from(KNOWN_BY).unwrap();
        for length in [1, most - 1, most, most + 1, 3 * most, bytes.len()] {
            let taken = &bytes[..length];
            let end = length.min(most);
            let whole = Ends::of(taken[..end].to_vec(), taken[length - end..].to_vec()).digest();
            for piece in [7, most, 2 * most + 5] {
                let mut ends = Ends::default();
                taken.chunks(piece).for_each(|piece| ends.takes(piece));
                assert_eq!(ends.digest(), whole, "{length} bytes, {piece} at once");
            }
        }
    }

    #[test]
    fn another_byte_at_either_end_is_another_file() {
        let digest = |bytes: &[u8]| {
            let mut ends = Ends::default();
            ends.takes(bytes);
            ends.digest()
        };
        let mut bytes = vec![b'a'; 30_000];
        let before = digest(&bytes);
        bytes[3] = b'b';
        assert_ne!(digest(&bytes), before);
        bytes[3] = b'a';
        bytes[29_999] = b'b';
        assert_ne!(digest(&bytes), before);
        assert_eq!(digest(b""), "");
    }
}
