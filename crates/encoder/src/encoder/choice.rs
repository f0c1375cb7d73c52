//! How a family was chosen.

use super::families::Family;

/// One family's trial.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Which.
    pub family: Family,
    /// PSNR over all planes as weighted by the loss, exact decoder, dB.
    pub psnr: f64,
    /// Coded bytes.
    pub bytes: u64,
    /// Seconds it took.
    pub seconds: f64,
}

/// How a family was chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Frames of the trial.
    pub frames: usize,
    /// All that were tried.
    pub candidates: Vec<Candidate>,
    /// The one with the highest PSNR.
    pub family: Family,
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let tried = |t: &Candidate| {
            format!(
                "{} {:.2} dB in {} bytes, {:.1} s",
                t.family.name(),
                t.psnr,
                t.bytes,
                t.seconds
            )
        };
        let all = self
            .candidates
            .iter()
            .map(tried)
            .collect::<Vec<_>>()
            .join("; ");
        write!(
            f,
            "{}, the best of short trials on {} frames: {all}",
            self.family.name(),
            self.frames
        )
    }
}
