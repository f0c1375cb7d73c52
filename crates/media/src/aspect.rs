//! Ratios as sources give them, fitted to what the format holds.

use nvc::frame::Ratio;

/// Most of a sample aspect ratio's sides in a file.
const MOST: u64 = 65535;

/// Unknown, as 0:0.
pub const UNKNOWN: Ratio = Ratio { num: 0, den: 0 };

/// The greatest common divisor.
pub fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// `num:den` in lowest terms; (0, 0) if either is 0.
pub fn lowest(num: u64, den: u64) -> (u64, u64) {
    if num == 0 || den == 0 {
        return (0, 0);
    }
    let g = gcd(num, den);
    (num / g, den / g)
}

/// A sample aspect ratio as a file can hold it, and a warning where that is another: the nearest
/// ratio, or unknown.
pub fn sample_aspect(num: u64, den: u64) -> (Ratio, Option<String>) {
    let (n, d) = lowest(num, den);
    if n <= MOST && d <= MOST {
        return (
            Ratio {
                num: n as u32,
                den: d as u32,
            },
            None,
        );
    }
    let (r, kept) = match nearest(n, d) {
        Some((a, b)) => (
            Ratio {
                num: a as u32,
                den: b as u32,
            },
            format!("is kept as {a}:{b}"),
        ),
        None => (UNKNOWN, "is dropped".into()),
    };
    (
        r,
        Some(format!(
            "the sample aspect ratio {num}:{den} {kept}: a file holds 1..={MOST} to either side"
        )),
    )
}

/// The last convergent of the continued fraction of `n / d` with both sides in 1..=[`MOST`].
fn nearest(n: u64, d: u64) -> Option<(u64, u64)> {
    let (mut a, mut b) = (n, d);
    let (mut h, mut k) = ([0u64, 1], [1u64, 0]);
    let mut best = None;
    while b != 0 {
        let q = a / b;
        let next = |v: [u64; 2]| {
            q.checked_mul(v[1])
                .and_then(|x| x.checked_add(v[0]))
                .filter(|&x| x <= MOST)
        };
        let (Some(hn), Some(kn)) = (next(h), next(k)) else {
            break;
        };
        (h, k) = ([h[1], hn], [k[1], kn]);
        if hn > 0 && kn > 0 {
            best = Some((hn, kn));
        }
        (a, b) = (b, a % b);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_reduced_and_never_clipped() {
        let sar = |n, d| {
            let (r, w) = sample_aspect(n, d);
            ((r.num, r.den), w.is_some())
        };
        assert_eq!(sar(100_000, 75_000), ((4, 3), false));
        assert_eq!(
            (sar(1, 1), sar(0, 0), sar(0, 7), sar(7, 0)),
            (
                ((1, 1), false),
                ((0, 0), false),
                ((0, 0), false),
                ((0, 0), false)
            )
        );
        assert_eq!(sar(65535, 65534), ((65535, 65534), false));
        // within 1 of 2^32
        let ((n, d), said) = sar(1_000_003, 999_983);
        assert!(
            said && n <= 65535
                && (f64::from(n) / f64::from(d) - 1_000_003.0 / 999_983.0).abs() < 1e-9
        );
        assert_eq!(
            (sar(99_999_999_999, 1), sar(1, 99_999_999_999)),
            (((0, 0), true), ((0, 0), true))
        );
        assert_eq!(sar(u64::MAX, u64::MAX - 1).0, (1, 1));
    }
}
