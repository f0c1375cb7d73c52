//! Clips, and YUV4MPEG2 written and read without the crate under test.

use std::path::Path;

/// Frames of planes of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    pub width: usize,
    pub height: usize,
    /// y4m colour tag: 420, 444, mono or 420p10.
    pub tag: &'static str,
    pub frames: Vec<Vec<Vec<u16>>>,
}

const TAGS: [&str; 4] = ["420p10", "444", "mono", "420"];

/// Geometry of each plane.
fn planes(tag: &str, w: usize, h: usize) -> Vec<(usize, usize)> {
    let half = (w.div_ceil(2), h.div_ceil(2));
    match tag {
        "mono" => vec![(w, h)],
        "444" => vec![(w, h); 3],
        _ => vec![(w, h), half, half],
    }
}

impl Clip {
    /// A slope that moves over a still one, with a bright square going the other way.
    pub fn moving(tag: &'static str, width: usize, height: usize, frames: usize) -> Self {
        let max = if tag == "420p10" { 1023.0 } else { 255.0 };
        let sample = |t: usize, p: usize, x: usize, y: usize, w: usize, h: usize| {
            let (x, y, t) = (x as f64 / w as f64, y as f64 / h as f64, t as f64 / 20.0);
            let wave = (6.0 * (x + t) + p as f64).sin() * 0.25 + y * 0.4 + 0.3;
            let square = (x - 0.7 + t).abs() < 0.12 && (y - 0.4).abs() < 0.15;
            ((if square { 0.9 } else { wave }).clamp(0.0, 1.0) * max).round() as u16
        };
        let frame = |t: usize| -> Vec<Vec<u16>> {
            let plane = |(p, (w, h)): (usize, (usize, usize))| {
                (0..w * h)
                    .map(|i| sample(t, p, i % w, i / w, w, h))
                    .collect()
            };
            planes(tag, width, height)
                .into_iter()
                .enumerate()
                .map(plane)
                .collect()
        };
        Clip {
            width,
            height,
            tag,
            frames: (0..frames).map(frame).collect(),
        }
    }

    fn wide(&self) -> bool {
        self.tag == "420p10"
    }

    pub fn max(&self) -> f64 {
        if self.wide() { 1023.0 } else { 255.0 }
    }

    /// The stream at 30000/1001 frames a second.
    pub fn y4m(&self) -> Vec<u8> {
        let mut out = format!(
            "YUV4MPEG2 W{} H{} F30000:1001 Ip A1:1 C{}\n",
            self.width, self.height, self.tag
        )
        .into_bytes();
        for f in &self.frames {
            out.extend(b"FRAME\n");
            for &v in f.iter().flatten() {
                out.extend(&v.to_le_bytes()[..if self.wide() { 2 } else { 1 }]);
            }
        }
        out
    }

    pub fn write(&self, path: impl AsRef<Path>) {
        std::fs::write(path, self.y4m()).unwrap();
    }

    /// Reads a stream back; panics unless its rate is 30000/1001.
    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .iter()
            .position(|&b| b == b'\n')
            .expect("a y4m header ends in a newline");
        let header = std::str::from_utf8(&bytes[..end]).unwrap();
        let tag = |c: char| {
            let t = header.split(' ').skip(1).find(|t| t.starts_with(c));
            t.unwrap_or_else(|| panic!("no {c} in '{header}'"))[1..].to_string()
        };
        assert!(
            header.starts_with("YUV4MPEG2 ") && tag('F') == "30000:1001",
            "{header}"
        );
        let (width, height): (usize, usize) =
            (tag('W').parse().unwrap(), tag('H').parse().unwrap());
        let color = tag('C');
        let tag = TAGS
            .into_iter()
            .find(|t| color.starts_with(t))
            .unwrap_or_else(|| panic!("unknown tag C{color}"));
        let mut clip = Clip {
            width,
            height,
            tag,
            frames: Vec::new(),
        };
        let size = if clip.wide() { 2 } else { 1 };
        let mut rest = &bytes[end + 1..];
        while !rest.is_empty() {
            rest = rest
                .strip_prefix(b"FRAME\n")
                .expect("each frame starts with FRAME");
            let mut frame = Vec::new();
            for (w, h) in planes(tag, width, height) {
                let (plane, after) = rest.split_at(w * h * size);
                let value = |s: &[u8]| {
                    if size == 2 {
                        u16::from_le_bytes([s[0], s[1]])
                    } else {
                        u16::from(s[0])
                    }
                };
                frame.push(plane.chunks_exact(size).map(value).collect());
                rest = after;
            }
            clip.frames.push(frame);
        }
        clip
    }

    pub fn read(path: impl AsRef<Path>) -> Self {
        Clip::parse(&std::fs::read(path).unwrap())
    }

    /// Mean over frames of plane `p`'s PSNR against `other`, dB.
    pub fn psnr(&self, other: &Clip, p: usize) -> f64 {
        assert_eq!(
            (self.width, self.height, self.frames.len()),
            (other.width, other.height, other.frames.len())
        );
        let one = |(a, b): (&Vec<Vec<u16>>, &Vec<Vec<u16>>)| {
            let square: f64 = a[p]
                .iter()
                .zip(&b[p])
                .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
                .sum();
            10.0 * (self.max().powi(2) * a[p].len() as f64 / square).log10()
        };
        self.frames.iter().zip(&other.frames).map(one).sum::<f64>() / self.frames.len() as f64
    }
}

#[test]
fn a_clip_reads_back() {
    for tag in TAGS {
        let c = Clip::moving(tag, 7, 5, 2);
        assert_eq!(Clip::parse(&c.y4m()), c);
        assert_ne!(c.frames[0], c.frames[1], "{tag} does not move");
    }
}
