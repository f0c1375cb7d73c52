//! How an encode goes: a bar, lines or JSON on stderr, and lines of the statistics.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::args::{EncodeArgs, ProgressArg};
use super::say::say;
use super::stats::Stats;
use super::waiting::Waiting;
use nvc::error::{Error, Result};
use nvc::frame::Frame;
use nvc_encoder::fit::Progress;
use nvc_encoder::{Choice, Family, GroupReport, Observer};
use nvc_media::BoxedSink;

/// Time between lines where there is no terminal, and between progress lines of the statistics.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Where the first step is made, and why it may take long there.
fn compiling(device: &str) -> String {
    let why = if device.starts_with("cuda") {
        ", whose kernels are compiled when they are first used"
    } else {
        ""
    };
    format!(" on {device}{why}")
}

enum Show {
    Bar(ProgressBar),
    Lines,
    Json,
    Off,
}

struct Running {
    start: Instant,
    step: usize,
    steps: usize,
}

/// Tells people and programs how the encode goes.
pub struct Reporter<'a> {
    show: Show,
    stats: &'a mut Stats,
    recon: Option<BoxedSink>,
    interrupted: Arc<AtomicBool>,
    groups: Option<usize>,
    /// Groups being fitted: when each started, and how far it is.
    running: BTreeMap<usize, Running>,
    last_line: Instant,
    waiting: Waiting,
    device: String,
    /// A failed write of the statistics or the reconstruction, kept until it can be returned.
    failed: Option<Error>,
}

impl<'a> Reporter<'a> {
    /// A reporter that shows as `how` says.
    pub fn new(
        a: &EncodeArgs,
        device: String,
        stats: &'a mut Stats,
        recon: Option<BoxedSink>,
        interrupted: Arc<AtomicBool>,
    ) -> Self {
        let (how, quiet) = (a.progress, a.quiet);
        let terminal = std::io::stderr().is_terminal();
        let show = match how {
            _ if quiet => Show::Off,
            ProgressArg::Off => Show::Off,
            ProgressArg::Json => Show::Json,
            // bars and lines of several would mix
            _ if stats.is_of_one() => Show::Off,
            ProgressArg::Auto if !terminal => Show::Lines,
            ProgressArg::Auto | ProgressArg::Bar => {
                let bar =
                    ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(4));
                let style = ProgressStyle::with_template(
                    "{prefix} [{bar:30}] {pos}/{len} {per_sec} {msg} ETA {eta}",
                );
                bar.set_style(
                    style
                        .unwrap_or_else(|_| ProgressStyle::default_bar())
                        .progress_chars("=> "),
                );
                Show::Bar(bar)
            }
        };
        let now = Instant::now();
        let (waiting, running) = (Waiting::new(stats.prefix()), BTreeMap::new());
        Reporter {
            show,
            stats,
            recon,
            interrupted,
            groups: None,
            running,
            last_line: now,
            waiting,
            device,
            failed: None,
        }
    }

    /// The reconstruction sink, or what went wrong with it or the statistics.
    pub fn finish(self) -> Result<Option<BoxedSink>> {
        if let Show::Bar(b) = &self.show {
            b.finish_and_clear();
        }
        self.failed.map_or(Ok(self.recon), Err)
    }

    fn group_name(&self, group: usize) -> String {
        match self.groups {
            Some(n) => format!("group {}/{n}", group + 1),
            None => format!("group {}", group + 1),
        }
    }

    /// The bar stands for all groups that are being fitted.
    fn update_bar(&self, message: Option<String>) {
        let Show::Bar(b) = &self.show else { return };
        let numbers: Vec<String> = self.running.keys().map(|g| (g + 1).to_string()).collect();
        let all = self.groups.map_or(String::new(), |n| format!("/{n}"));
        b.set_prefix(format!("group {}{all}", numbers.join(",")));
        b.set_length(self.running.values().map(|r| r.steps as u64).sum());
        b.set_position(self.running.values().map(|r| r.step as u64).sum());
        if let Some(m) = message {
            b.set_message(m);
        }
    }

    fn say_json(&self, v: &Value) {
        say(&self.stats.named(v).to_string());
    }

    fn stats_line(&mut self, v: &Value) {
        if let Err(e) = self.stats.line(v) {
            self.failed.get_or_insert(e);
        }
    }
}

impl Observer for Reporter<'_> {
    fn warn(&mut self, text: &str) {
        let line = format!("warning: {}{text}", self.stats.prefix());
        let v = json!({ "type": "warning", "message": text });
        match &self.show {
            Show::Bar(b) => b.suspend(|| say(&line)),
            Show::Json => self.say_json(&v),
            Show::Lines | Show::Off => say(&line),
        }
        self.stats_line(&v);
    }

    fn start(&mut self, group: usize, groups: Option<usize>, frames: usize, params: u64) {
        self.groups = groups;
        self.running.insert(
            group,
            Running {
                start: Instant::now(),
                step: 0,
                steps: 0,
            },
        );
        let name = self.group_name(group);
        self.waiting
            .next(|| format!("the first step of {name}{}", compiling(&self.device)));
        match &self.show {
            Show::Bar(b) => {
                if self.running.len() == 1 {
                    b.reset();
                }
                self.update_bar(None);
            }
            Show::Lines => say(&format!("{name}: {frames} frames, {params} parameters")),
            Show::Json | Show::Off => {}
        }
    }

    fn progress(&mut self, group: usize, p: &Progress) {
        let message = || {
            let bytes = p.bytes.map_or(String::new(), |b| format!(" {b:.0} B"));
            format!("{:.2} dB{bytes}", p.psnr)
        };
        self.waiting
            .next(|| format!("a step of group {} on {}", group + 1, self.device));
        let now = Instant::now();
        let running = self.running.entry(group).or_insert(Running {
            start: now,
            step: 0,
            steps: 0,
        });
        (running.step, running.steps) = (p.step, p.steps);
        let seconds = (now - running.start).as_secs_f64();
        self.update_bar(Some(message()));
        if self.last_line.elapsed() < LINE_EVERY && p.step != p.steps {
            return;
        }
        self.last_line = now;
        let eta = seconds / p.step as f64 * (p.steps - p.step) as f64;
        let v = json!({
            "type": "progress", "group": group, "groups": self.groups, "step": p.step, "steps": p.steps, "psnr": p.psnr,
            "bytes": p.bytes, "seconds": seconds, "eta_seconds": eta,
        });
        match &self.show {
            Show::Lines => {
                let rate = p.step as f64 / seconds;
                let name = self.group_name(group);
                say(&format!(
                    "{name}: step {}/{}, {}, {rate:.1} steps/s, ETA {eta:.0} s",
                    p.step,
                    p.steps,
                    message()
                ));
            }
            Show::Json => self.say_json(&v),
            Show::Bar(_) | Show::Off => {}
        }
        self.stats_line(&v);
        // the groups of a section are done together
        if p.step == p.steps {
            self.running.remove(&group);
        }
    }

    fn trial(&mut self, family: Family, frames: usize, steps: usize) {
        self.waiting.next(|| {
            format!(
                "the first step of a trial of {}{}",
                family.name(),
                compiling(&self.device)
            )
        });
        let text = format!("trial of {}: {frames} frames, {steps} steps", family.name());
        match &self.show {
            Show::Bar(b) => b.suspend(|| say(&text)),
            Show::Lines => say(&text),
            Show::Json | Show::Off => {}
        }
    }

    fn chosen(&mut self, c: &Choice) {
        let trials: Vec<Value> = c
            .candidates
            .iter()
            .map(|t| json!({ "arch": t.family.name(), "psnr": t.psnr, "bytes": t.bytes, "seconds": t.seconds }))
            .collect();
        let v = json!({ "type": "choice", "arch": c.family.name(), "frames": c.frames, "trials": trials });
        let text = c.to_string();
        match &self.show {
            Show::Bar(b) => b.suspend(|| say(&text)),
            Show::Lines => say(&text),
            Show::Json => self.say_json(&v),
            Show::Off => {}
        }
        self.stats_line(&v);
    }

    fn done(&mut self, r: &GroupReport) {
        self.running.remove(&r.index);
        self.waiting.next(|| "the next group".into());
        let v = json!({
            "type": "group", "group": r.index, "first_frame": r.first_frame, "frames": r.frames, "arch": r.arch, "params": r.params,
            "macs_per_pixel": r.macs_per_pixel, "steps": r.steps,
            "bytes": { "header": r.bytes.header, "weights": r.bytes.weights, "latents": r.bytes.latents },
            "order0_bytes": { "ideal": r.order0.ideal.round(), "adaptive": r.order0.adaptive.round() }, "float_psnr": r.float_psnr, "exact_psnr": r.exact_psnr,
            "fit_seconds": r.fit_seconds, "decode_fps": r.decode_fps,
        });
        match &self.show {
            Show::Bar(b) => b.suspend(|| {
                say(&format!(
                    "{}: {} bytes, {:.3} dB",
                    self.group_name(r.index),
                    r.bytes.total(),
                    r.exact_psnr
                ))
            }),
            Show::Lines => {
                let name = self.group_name(r.index);
                say(&format!(
                    "{name}: {} bytes, {:.3} dB, {:.0} s",
                    r.bytes.total(),
                    r.exact_psnr,
                    r.fit_seconds
                ));
            }
            Show::Json => self.say_json(&v),
            Show::Off => {}
        }
        self.stats_line(&v);
    }

    fn recon(&mut self, frame: &Frame) -> Result<()> {
        self.recon.as_mut().map_or(Ok(()), |r| r.write(frame))
    }

    fn stop(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }
}
