//! Rows grouped to curves, and averaged over sequences.

use std::collections::HashSet;

use super::metric::Metric;
use super::row::Row;

/// Name that averages have in place of a sequence.
pub const AVERAGE: &str = "average";

/// The rows of one codec at one configuration, on all sequences.
#[derive(Clone, Debug)]
pub struct Curve<'a> {
    /// [`Row::curve`].
    pub name: String,
    /// Whether a row says that the setting is weak.
    pub weak: bool,
    /// In the order given.
    pub rows: Vec<&'a Row>,
}

impl<'a> Curve<'a> {
    /// The rows of one sequence by rising rate.
    pub fn on(&self, sequence: &str) -> Vec<&'a Row> {
        let mut rows: Vec<&Row> = self
            .rows
            .iter()
            .copied()
            .filter(|r| r.sequence == sequence)
            .collect();
        rows.sort_by(|a, b| a.bpp.total_cmp(&b.bpp));
        rows
    }

    /// Name, and whether it is weak.
    pub fn label(&self) -> String {
        if self.weak {
            format!("{} (weak)", self.name)
        } else {
            self.name.clone()
        }
    }
}

/// The curves in the order in which they first appear.
pub fn curves<'a>(rows: &[&'a Row]) -> Vec<Curve<'a>> {
    let mut out: Vec<Curve> = Vec::new();
    for &row in rows {
        let name = row.curve();
        let at = out.iter().position(|c| c.name == name).unwrap_or_else(|| {
            out.push(Curve {
                name,
                weak: false,
                rows: Vec::new(),
            });
            out.len() - 1
        });
        out[at].weak |= row.weak == "yes";
        out[at].rows.push(row);
    }
    out
}

/// Names of the sequences in the order in which they first appear.
pub fn sequences(rows: &[&Row]) -> Vec<String> {
    let mut seen = HashSet::new();
    rows.iter()
        .filter(|r| seen.insert(r.sequence.as_str()))
        .map(|r| r.sequence.clone())
        .collect()
}

/// Rows averaged over all sequences, point by point, with [`AVERAGE`] for the sequence: the
/// arithmetic means of rate, figures of quality and times. Only curves that have the same points on
/// every sequence; the names of the others come second. With one sequence or none there is nothing
/// to average.
pub fn averages(rows: &[&Row]) -> (Vec<Row>, Vec<String>) {
    let names = sequences(rows);
    let (mut out, mut without) = (Vec::new(), Vec::new());
    if names.len() < 2 {
        return (out, without);
    }
    for curve in curves(rows) {
        match average(&curve, &names) {
            Some(mean) => out.extend(mean),
            None => without.push(curve.name),
        }
    }
    (out, without)
}

fn average(curve: &Curve, sequences: &[String]) -> Option<Vec<Row>> {
    let labels = |s: &String| -> Vec<&str> {
        let mut labels: Vec<&str> = curve
            .rows
            .iter()
            .filter(|r| r.sequence == *s)
            .map(|r| r.point.as_str())
            .collect();
        labels.sort_unstable();
        labels
    };
    let all = labels(&sequences[0]);
    let twice = all.windows(2).any(|w| w[0] == w[1]);
    if all.is_empty() || twice || sequences.iter().any(|s| labels(s) != all) {
        return None;
    }
    // the order of the first sequence's rows
    let first = curve.rows.iter().filter(|r| r.sequence == sequences[0]);
    Some(
        first
            .map(|r| {
                mean(
                    &curve
                        .rows
                        .iter()
                        .copied()
                        .filter(|o| o.point == r.point)
                        .collect::<Vec<_>>(),
                )
            })
            .collect(),
    )
}

/// A row of means; what is not a mean is kept where all rows agree in it.
fn mean(rows: &[&Row]) -> Row {
    let n = rows.len() as f64;
    let of = |f: &dyn Fn(&Row) -> f64| rows.iter().map(|r| f(r)).sum::<f64>() / n;
    let option = |f: &dyn Fn(&Row) -> Option<f64>| {
        rows.iter()
            .map(|r| f(r))
            .sum::<Option<f64>>()
            .map(|s| s / n)
    };
    let same = |f: &dyn Fn(&Row) -> String| {
        Some(f(rows[0]))
            .filter(|v| rows.iter().all(|r| f(r) == *v))
            .unwrap_or_default()
    };
    let size = |f: &dyn Fn(&Row) -> usize| {
        Some(f(rows[0]))
            .filter(|v| rows.iter().all(|r| f(r) == *v))
            .unwrap_or(0)
    };
    let mut row = Row {
        codec: rows[0].codec.clone(),
        config: rows[0].config.clone(),
        point: rows[0].point.clone(),
        weak: rows[0].weak.clone(),
        version: same(&|r| r.version.clone()),
        sequence: AVERAGE.into(),
        frames: rows.iter().map(|r| r.frames).sum(),
        width: size(&|r| r.width),
        height: size(&|r| r.height),
        bytes: rows.iter().map(|r| r.bytes).sum(),
        bpp: of(&|r| r.bpp),
        kbps: option(&|r| r.kbps),
        psnr_u: option(&|r| r.psnr_u),
        psnr_v: option(&|r| r.psnr_v),
        enc_s: of(&|r| r.enc_s),
        dec_s: of(&|r| r.dec_s),
        enc_cpu_s: option(&|r| r.enc_cpu_s),
        enc_mb: option(&|r| r.enc_mb),
        dec_mb: option(&|r| r.dec_mb),
        enc_device: same(&|r| r.enc_device.clone()),
        dec_device: same(&|r| r.dec_device.clone()),
        ..Row::default()
    };
    for m in Metric::ALL {
        *m.of_mut(&mut row) = option(&|r| m.of(r));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(codec: &str, sequence: &str, point: &str, bpp: f64) -> Row {
        Row {
            codec: codec.into(),
            config: "medium".into(),
            sequence: sequence.into(),
            point: point.into(),
            bpp,
            psnr_y: Some(30.0 + bpp),
            ..Row::default()
        }
    }

    #[test]
    fn curves_and_sequences_keep_their_order() {
        let mut rows = [
            row("b", "s2", "1", 0.3),
            row("a", "s2", "1", 0.1),
            row("b", "s1", "1", 0.1),
            row("b", "s2", "2", 0.2),
        ];
        rows[3].weak = "yes".into();
        let refs: Vec<&Row> = rows.iter().collect();
        let c = curves(&refs);
        assert!(
            c.iter()
                .map(|c| c.label())
                .eq(["b medium (weak)", "a medium"])
        );
        assert!(c[0].on("s2").iter().map(|r| r.bpp).eq([0.2, 0.3]));
        assert_eq!(sequences(&refs), ["s2", "s1"]);
        assert!(curves(&[]).is_empty());
    }

    #[test]
    fn averages_need_every_point_on_every_sequence() {
        let rows = [
            row("a", "s1", "crf=20", 0.1),
            row("a", "s1", "crf=10", 0.3),
            row("a", "s2", "crf=10", 0.5),
            row("a", "s2", "crf=20", 0.3),
            row("b", "s1", "crf=20", 0.2),
        ];
        let refs: Vec<&Row> = rows.iter().collect();
        let (mean, without) = averages(&refs);
        assert!(
            mean.iter()
                .map(|r| (r.point.as_str(), r.sequence.as_str()))
                .eq([("crf=20", AVERAGE), ("crf=10", AVERAGE)])
        );
        assert!(
            (mean[0].bpp - 0.2).abs() < 1e-12 && (mean[1].psnr_y.unwrap() - 30.4).abs() < 1e-12
        );
        assert_eq!(mean[0].psnr_rgb, None);
        assert_eq!(without, ["b medium"]);
        assert_eq!(averages(&refs[..2]), (vec![], vec![]));
        let mut twice = rows[..4].to_vec();
        twice.push(rows[0].clone());
        twice.push(rows[3].clone());
        assert_eq!(averages(&twice.iter().collect::<Vec<_>>()).1, ["a medium"]);
    }
}
