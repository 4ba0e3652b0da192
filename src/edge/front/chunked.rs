//! Decodes a chunked request body within bounds: plain sizes, no extensions, no trailers.

use super::framing::Refusal;

/// State between two pieces of input.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoder {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Size digits read so far, and their value.
    #[default]
    Start,
    Size(usize),
    SizeEnd(usize),
    Data(usize),
    DataEnd,
    DataEndLf,
    LastCr,
    LastLf,
    Done,
}

/// Sizes above 2^28 do not fit any body limit.
const SIZE_MAX: usize = 1 << 28;

const BAD: Refusal = Refusal::Malformed("chunk");

impl Decoder {
    /// Takes what it can from `input` into `body`, which may grow to `max`. Answers how much of
    /// `input` is used up and whether the body is whole.
    pub fn feed(
        &mut self,
        input: &[u8],
        body: &mut Vec<u8>,
        max: usize,
    ) -> Result<(usize, bool), Refusal> {
        let mut at = 0;
        while self.state != State::Done {
            let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) else { break };
            if let State::Data(left) = self.state {
                let taken = left.min(rest.len());
                if body.len() + taken > max {
                    return Err(Refusal::BodyTooLong);
                }
                body.extend(rest.iter().take(taken));
                at += taken;
                self.state = if taken == left { State::DataEnd } else { State::Data(left - taken) };
                continue;
            }
            // INVARIANT: `rest` is not empty.
            self.state = self.state.step(rest[0])?;
            if matches!(self.state, State::SizeEnd(size) if size > max) {
                return Err(Refusal::BodyTooLong);
            }
            at += 1;
        }
        Ok((at, self.state == State::Done))
    }
}

impl State {
    fn step(self, byte: u8) -> Result<State, Refusal> {
        match (self, byte) {
            (State::Start, _) => Ok(State::Size(hex(byte)?)),
            (State::Size(size), b'\r') => Ok(State::SizeEnd(size)),
            (State::Size(size), _) if size >= SIZE_MAX => Err(Refusal::BodyTooLong),
            (State::Size(size), _) => Ok(State::Size(size * 16 + hex(byte)?)),
            (State::SizeEnd(0), b'\n') => Ok(State::LastCr),
            (State::SizeEnd(size), b'\n') => Ok(State::Data(size)),
            (State::DataEnd, b'\r') => Ok(State::DataEndLf),
            (State::DataEndLf, b'\n') => Ok(State::Start),
            (State::LastCr, b'\r') => Ok(State::LastLf),
            (State::LastLf, b'\n') => Ok(State::Done),
            _ => Err(BAD),
        }
    }
}

fn hex(byte: u8) -> Result<usize, Refusal> {
    char::from(byte).to_digit(16).map(|digit| digit as usize).ok_or(BAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(input: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), Refusal> {
        let (mut decoder, mut body, mut used, mut done) =
            (Decoder::default(), Vec::new(), 0, false);
        for part in input.chunks(piece) {
            let (n, whole) = decoder.feed(part, &mut body, 20)?;
            used += n;
            done = whole;
            if n < part.len() {
                break;
            }
        }
        Ok((body, used, done))
    }

    #[test]
    fn bodies_in_any_pieces() {
        let input = b"5\r\nhello\r\n00c\r\n\r\n big world\r\n0\r\n\r\nGET /";
        for piece in 1..input.len() {
            let (body, used, done) = decode(input, piece).expect("valid");
            assert_eq!(body, b"hello\r\n big world", "{piece}");
            assert!(done && used == input.len() - 5, "{piece}");
        }
        assert_eq!(decode(b"5\r\nhel", 3), Ok((b"hel".to_vec(), 6, false)));
    }

    #[test]
    fn what_is_doubtful_is_refused() {
        for input in [
            &b"\r\n"[..],
            b"x\r\n",
            b"5;a=b\r\n",
            b" 5\r\n",
            b"0x5\r\n",
            b"5\nhello",
            b"2\r\nabX",
            b"2\r\nab\n",
            b"0\r\nTrailer: x\r\n\r\n",
            b"-1\r\n",
        ] {
            assert_eq!(decode(input, 4), Err(BAD), "{input:?}");
        }
        for input in
            [&b"15\r\n"[..], b"ffffffffffffffffff", b"14\r\n01234567890123456789\r\n1\r\nx"]
        {
            assert_eq!(decode(input, 7), Err(Refusal::BodyTooLong), "{input:?}");
        }
    }
}
