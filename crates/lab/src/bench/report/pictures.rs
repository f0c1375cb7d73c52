//! The decoded frames: PNG files, each embedded once, as many as the report may hold.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::content::{Content, Kind, View};

/// The pictures of a report, and what is wrong with those that are not in it.
#[derive(Default)]
pub(super) struct Pictures {
    pub shown: Vec<Picture>,
    /// Those that are not in it for its size.
    pub beside: Vec<Beside>,
    pub warnings: Vec<String>,
}

/// One PNG.
pub(super) struct Picture {
    /// Number, part of the element's id.
    pub id: usize,
    /// Number of the view it belongs to.
    pub view: usize,
    /// What it shows.
    pub label: String,
    /// Whole file.
    pub png: Vec<u8>,
}

/// One PNG that stays a file.
pub(super) struct Beside {
    /// Number of the view it belongs to.
    pub view: usize,
    /// What it shows.
    pub label: String,
    /// Relative to the report's folder.
    pub path: PathBuf,
}

/// A picture that may be embedded.
struct Candidate<'a> {
    view: usize,
    label: String,
    path: &'a Path,
    /// How early it is chosen: 0 the source, 1 the middle of a curve, then what is further from it.
    rank: usize,
    /// Bytes it takes in the report, or why it cannot be in it.
    bytes: Result<u64, String>,
}

const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

impl Pictures {
    /// Reads those that fit: of every sequence the source, then of each curve the point in the
    /// middle, then the others, the sequences in turn. They stand in the order of sequences and
    /// points.
    pub(super) fn read(dir: &Path, content: &Content) -> Pictures {
        let mut all = Vec::new();
        for (number, view) in content
            .views
            .iter()
            .enumerate()
            .filter(|(_, v)| v.kind == Kind::Sequence)
        {
            all.extend(candidates(content, number, view));
        }
        for c in &mut all {
            c.bytes = bytes(&dir.join(c.path));
        }
        let chosen = choose(&all, content.input.picture_budget);
        let mut out = Pictures::default();
        for (c, chosen) in all.into_iter().zip(chosen) {
            let (path, name, label) = (c.path, &content.views[c.view].name, c.label);
            let warn =
                |why: &str| format!("The picture {} ({name}, {label}) {why}.", path.display());
            match (c.bytes, chosen) {
                (Err(why), _) => out.warnings.push(warn(&why)),
                (Ok(_), false) => out.beside.push(Beside {
                    view: c.view,
                    label,
                    path: path.to_path_buf(),
                }),
                (Ok(_), true) => match std::fs::read(dir.join(path)) {
                    Ok(png) => out.shown.push(Picture {
                        id: out.shown.len(),
                        view: c.view,
                        label,
                        png,
                    }),
                    Err(e) => out.warnings.push(warn(&format!("could not be read: {e}"))),
                },
            }
        }
        out
    }
}

/// The pictures of a sequence, the source first.
fn candidates<'a>(content: &'a Content, number: usize, view: &View) -> Vec<Candidate<'a>> {
    let info = content.input.sequences.iter().find(|s| s.name == view.name);
    let source = info.and_then(|i| {
        Some((
            i.picture.as_deref()?,
            format!("source, frame {}", i.picture_frame),
            0,
        ))
    });
    let shown: Vec<_> = content
        .rows_of(view)
        .into_iter()
        .filter_map(|(row, p)| Some((row, p?.picture.as_deref()?)))
        .collect();
    // rates of each curve, for the middle
    let mut rates: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (row, _) in &shown {
        rates.entry(row.curve()).or_default().push(row.bpp);
    }
    rates.values_mut().for_each(|r| r.sort_by(f64::total_cmp));
    let decoded = shown.into_iter().map(|(row, path)| {
        let weak = if row.weak == "yes" { " (weak)" } else { "" };
        let psnr = content
            .metrics
            .iter()
            .find_map(|m| Some(format!(", {} {}", m.name(), m.format(m.of(row)?))));
        let label = format!(
            "{}{weak} {}: {:.4} bpp{}",
            row.curve(),
            row.point,
            row.bpp,
            psnr.unwrap_or_default()
        );
        let curve = &rates[&row.curve()];
        let at = curve
            .iter()
            .position(|r| r.total_cmp(&row.bpp).is_eq())
            .unwrap_or(0);
        (Path::new(path), label, 1 + at.abs_diff(curve.len() / 2))
    });
    let all = source.into_iter().chain(decoded);
    all.map(|(path, label, rank)| Candidate {
        view: number,
        label,
        path,
        rank,
        bytes: Ok(0),
    })
    .collect()
}

/// What a file takes as base64, without reading more of it than tells that it is a PNG.
fn bytes(path: &Path) -> Result<u64, String> {
    let unread = |e: std::io::Error| format!("could not be read: {e}");
    let mut file = std::fs::File::open(path).map_err(unread)?;
    let mut head = [0; SIGNATURE.len()];
    match file.read_exact(&mut head) {
        Ok(()) if head == *SIGNATURE => {}
        Err(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => return Err(unread(e)),
        _ => return Err("is no PNG file".into()),
    }
    Ok(file.metadata().map_err(unread)?.len().div_ceil(3) * 4)
}

/// Which of them fit.
fn choose(all: &[Candidate], budget: u64) -> Vec<bool> {
    // the sources, the middles, the others; in each the first of every sequence, then the second,
    // and so on
    let mut order: Vec<(usize, usize, usize, usize)> = Vec::new();
    let mut by_rank: Vec<usize> = (0..all.len()).collect();
    by_rank.sort_by_key(|&n| all[n].rank);
    let mut turns: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for n in by_rank {
        let (phase, view) = (all[n].rank.min(2), all[n].view);
        let turn = turns.entry((phase, view)).or_default();
        order.push((phase, *turn, view, n));
        *turn += 1;
    }
    order.sort_unstable();
    let (mut left, mut chosen) = (budget, vec![false; all.len()]);
    for (.., n) in order {
        if let Ok(bytes) = all[n].bytes
            && bytes <= left
        {
            left -= bytes;
            chosen[n] = true;
        }
    }
    chosen
}
