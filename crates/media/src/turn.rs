//! Pictures that are shown turned or mirrored.

use super::mapped::Mapped;
use super::source::BoxedSource;
use nvc::frame::{Frame, Plane, Ratio, Siting};

/// One of the eight ways to show a picture: where its rows and columns go. A sample at (x, y) from
/// the middle is shown at (a x + c y, b x + d y), y downwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    a: i8,
    b: i8,
    c: i8,
    d: i8,
}

impl Turn {
    /// As it is.
    pub const NONE: Turn = Turn {
        a: 1,
        b: 0,
        c: 0,
        d: 1,
    };

    /// Of a matrix in fixed point as containers hold it (ISO/IEC 14496-12, 6.2.2): `a`, `b`, `c`,
    /// `d` with 16 bits of fraction. `None` for one that does more than turn by right angles and
    /// mirror.
    pub fn from_matrix(m: [i32; 4]) -> Option<Self> {
        let whole = |v: i32| match v {
            65536 => Some(1),
            -65536 => Some(-1),
            0 => Some(0),
            _ => None,
        };
        let [a, b, c, d] = [whole(m[0])?, whole(m[1])?, whole(m[2])?, whole(m[3])?];
        let t = Turn { a, b, c, d };
        let straight = a != 0 && d != 0 && b == 0 && c == 0;
        let across = a == 0 && d == 0 && b != 0 && c != 0;
        (straight || across).then_some(t)
    }

    /// Whether width and height change places.
    pub fn swaps(self) -> bool {
        self.a == 0
    }

    fn plane(self, p: &Plane) -> Plane {
        let (w, h) = if self.swaps() {
            (p.height, p.width)
        } else {
            (p.width, p.height)
        };
        let mut out = Plane::new(w, h);
        // the way back is the transposed matrix
        let back = |along_x: i8, along_y: i8, x: usize, y: usize, side: usize| {
            let step = if along_x != 0 {
                (along_x, x)
            } else {
                (along_y, y)
            };
            if step.0 > 0 {
                step.1
            } else {
                side - 1 - step.1
            }
        };
        for y in 0..h {
            for x in 0..w {
                let from = (
                    back(self.a, self.b, x, y, p.width),
                    back(self.c, self.d, x, y, p.height),
                );
                out.data[y * w + x] = p.data[from.1 * p.width + from.0];
            }
        }
        out
    }

    fn siting(self, s: Siting) -> Siting {
        const PLACES: [(Siting, [i8; 2]); 6] = [
            (Siting::Left, [-1, 0]),
            (Siting::Center, [0, 0]),
            (Siting::TopLeft, [-1, -1]),
            (Siting::Top, [0, -1]),
            (Siting::BottomLeft, [-1, 1]),
            (Siting::Bottom, [0, 1]),
        ];
        let Some((_, [x, y])) = PLACES.iter().find(|p| p.0 == s) else {
            return Siting::Unspecified;
        };
        let to = [self.a * x + self.c * y, self.b * x + self.d * y];
        PLACES
            .iter()
            .find(|p| p.1 == to)
            .map_or(Siting::Unspecified, |p| p.0)
    }
}

/// All pictures of `inner`, turned.
pub fn turned(inner: BoxedSource, turn: Turn) -> Mapped {
    let mut info = *inner.info();
    if turn.swaps() {
        (info.width, info.height) = (info.height, info.width);
        info.sar = Ratio {
            num: info.sar.den,
            den: info.sar.num,
        };
    }
    info.color.siting = turn.siting(info.color.siting);
    Mapped::new(inner, info, move |f| Frame {
        planes: f.planes.iter().map(|p| turn.plane(p)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(m: [i32; 4]) -> Option<(usize, usize, Vec<u16>)> {
        let p = Plane {
            width: 3,
            height: 2,
            data: vec![1, 2, 3, 4, 5, 6],
        };
        let t = Turn::from_matrix(m.map(|v| v << 16))?.plane(&p);
        Some((t.width, t.height, t.data))
    }

    #[test]
    fn eight_ways() {
        assert_eq!(turned([1, 0, 0, 1]), Some((3, 2, vec![1, 2, 3, 4, 5, 6])));
        assert_eq!(turned([-1, 0, 0, 1]), Some((3, 2, vec![3, 2, 1, 6, 5, 4])));
        assert_eq!(turned([-1, 0, 0, -1]), Some((3, 2, vec![6, 5, 4, 3, 2, 1])));
        assert_eq!(turned([1, 0, 0, -1]), Some((3, 2, vec![4, 5, 6, 1, 2, 3])));
        // a quarter clockwise: the first row is the last column
        assert_eq!(turned([0, 1, -1, 0]), Some((2, 3, vec![4, 1, 5, 2, 6, 3])));
        assert_eq!(turned([0, -1, 1, 0]), Some((2, 3, vec![3, 6, 2, 5, 1, 4])));
        assert_eq!(turned([0, 1, 1, 0]), Some((2, 3, vec![1, 4, 2, 5, 3, 6])));
        assert_eq!(turned([0, -1, -1, 0]), Some((2, 3, vec![6, 3, 5, 2, 4, 1])));
        for not in [[2, 0, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 1, 0]] {
            assert_eq!(turned(not), None, "{not:?}");
        }
    }

    #[test]
    fn chroma_goes_along() {
        let quarter = Turn::from_matrix([0, 65536, -65536, 0]).unwrap();
        assert_eq!(
            (quarter.siting(Siting::Left), quarter.siting(Siting::Center)),
            (Siting::Top, Siting::Center)
        );
        // to the right there is no place
        assert_eq!(quarter.siting(Siting::Top), Siting::Unspecified);
        assert_eq!(Turn::NONE.siting(Siting::BottomLeft), Siting::BottomLeft);
    }
}
