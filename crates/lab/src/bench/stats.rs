//! What `nvc encode --stats` tells, a JSON object a line (docs/stats.md).

use serde_json::Value;

use super::row::Progress;

/// The device that the statistics name.
pub fn device(stats: &str) -> String {
    let start = stats
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok())
        .find(|v| v["type"] == "start");
    start
        .and_then(|v| v["device"].as_str().map(str::to_string))
        .unwrap_or("cpu".into())
}

/// Bytes of an adaptive coder of order 0, of all groups.
pub fn order0_bytes(stats: &str) -> Option<f64> {
    let lines = stats
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok());
    lines
        .filter(|v| v["type"] == "group")
        .map(|v| v["order0_bytes"]["adaptive"].as_f64())
        .sum()
}

/// Points on the curve of quality over time of a whole file.
const PROGRESS_POINTS: usize = 40;

/// Quality over time from the lines of `--stats`: had all groups been stopped after the same share
/// of their steps, the time that all would have taken and the mean quality over their frames.
pub fn progress(stats: &str) -> Vec<Progress> {
    // of each group: share of steps, seconds, PSNR
    let mut groups: Vec<(f64, Vec<[f64; 3]>)> = Vec::new();
    let mut frames = Vec::new();
    for v in stats
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok())
    {
        let number = |key: &str| v[key].as_f64();
        let group = v["group"].as_u64().unwrap_or(0) as usize;
        match v["type"].as_str() {
            Some("progress") => {
                let (Some(step), Some(steps), Some(seconds), Some(psnr)) = (
                    number("step"),
                    number("steps"),
                    number("seconds"),
                    number("psnr"),
                ) else {
                    continue;
                };
                if groups.len() == group {
                    groups.push((0.0, Vec::new()));
                }
                if let Some((_, curve)) = groups.get_mut(group) {
                    curve.push([step / steps.max(1.0), seconds, psnr]);
                }
            }
            Some("group") => frames.push(number("frames").unwrap_or(0.0)),
            _ => {}
        }
    }
    if groups.is_empty() || groups.len() != frames.len() {
        return Vec::new();
    }
    groups.iter_mut().zip(&frames).for_each(|(g, n)| g.0 = *n);
    let total: f64 = frames.iter().sum();
    let first = groups
        .iter()
        .filter_map(|(_, c)| c.first())
        .map(|p| p[0])
        .fold(0.0, f64::max);
    let count = groups
        .iter()
        .map(|(_, c)| c.len())
        .max()
        .unwrap_or(0)
        .min(PROGRESS_POINTS);
    (0..count)
        .map(|i| {
            if count < 2 {
                1.0
            } else {
                first + (1.0 - first) * i as f64 / (count - 1) as f64
            }
        })
        .map(|share| {
            let all = groups
                .iter()
                .map(|(n, curve)| (n, interpolate(curve, share)));
            let (seconds, psnr) =
                all.fold((0.0, 0.0), |(s, p), (n, at)| (s + at[0], p + n * at[1]));
            Progress {
                seconds,
                psnr: psnr / total.max(1.0),
            }
        })
        .collect()
}

/// Seconds and PSNR at a share of the steps; `curve` is not empty.
fn interpolate(curve: &[[f64; 3]], share: f64) -> [f64; 2] {
    let after = curve
        .iter()
        .position(|p| p[0] >= share)
        .unwrap_or(curve.len() - 1);
    let (a, b) = (curve[after.saturating_sub(1)], curve[after]);
    let t = if b[0] > a[0] {
        ((share - a[0]) / (b[0] - a[0])).clamp(0.0, 1.0)
    } else {
        1.0
    };
    [a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_of_groups_is_joined_by_share() {
        let line = |g: u64, step: u64, seconds: f64, psnr: f64| {
            format!(
                r#"{{"type":"progress","group":{g},"step":{step},"steps":10,"seconds":{seconds},"psnr":{psnr}}}"#
            )
        };
        let group = |g: u64, n: u64| format!(r#"{{"type":"group","group":{g},"frames":{n}}}"#);
        let text = [
            r#"{"type":"start"}"#.into(),
            line(0, 5, 2.0, 20.0),
            line(0, 10, 4.0, 30.0),
            group(0, 30),
            line(1, 5, 1.0, 24.0),
            line(1, 10, 2.0, 34.0),
            group(1, 10),
        ];
        let p = progress(&text.join("\n"));
        assert_eq!(
            p,
            [
                Progress {
                    seconds: 3.0,
                    psnr: 21.0
                },
                Progress {
                    seconds: 6.0,
                    psnr: 31.0
                }
            ]
        );
        assert!(progress("").is_empty() && progress(&line(0, 5, 1.0, 2.0)).is_empty());
        // one short group gives its end only
        assert_eq!(
            progress(&[line(0, 10, 4.0, 30.0), group(0, 3)].join("\n")),
            [Progress {
                seconds: 4.0,
                psnr: 30.0
            }]
        );
    }
}
