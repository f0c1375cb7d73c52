//! One coded sequence at one setting: the row of `results.csv`, and what the report needs beside
//! it.

use serde::{Deserialize, Serialize};

use ::nvc::metrics::Scores;

/// One line of `results.csv`. Column names and units are the schema of docs/bench.md; an empty cell
/// is a figure that is not defined or was not asked for. All PSNRs are in dB.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the codec: `nvc-hnerv`, `x264`, `svtav1`, `avif`...
    pub codec: String,
    /// What was run, as the program names itself.
    pub version: String,
    /// Everything that names a curve beside the codec: preset, tuning. Rows of equal codec and
    /// config form one curve.
    pub config: String,
    /// What moves along the curve: `bpp=0.1`, `crf=28`.
    pub point: String,
    /// `yes` where the setting is one of the literature's that its own authors would not use to
    /// compress well.
    pub weak: String,
    /// Name of the sequence.
    pub sequence: String,
    /// Pictures coded.
    pub frames: u64,
    /// Luma samples a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Pictures a second, as a ratio `25/1`; empty for a still.
    pub fps: String,
    /// ffmpeg's name of the sample format.
    pub pix_fmt: String,
    /// Bits a sample.
    pub bit_depth: u8,
    /// Bytes: the whole file of nvc and of still-picture codecs, the elementary stream without
    /// identification elsewhere.
    pub bytes: u64,
    /// 8 bytes / (width height frames).
    pub bpp: f64,
    /// Kilobits (1000) a second; empty for a still.
    pub kbps: Option<f64>,
    /// Mean over frames, luma.
    pub psnr_y: Option<f64>,
    /// Mean over frames, Cb.
    pub psnr_u: Option<f64>,
    /// Mean over frames, Cr.
    pub psnr_v: Option<f64>,
    /// Mean over frames of (6 Y + U + V) / 8.
    pub psnr_611: Option<f64>,
    /// Mean over frames, 8-bit RGB.
    pub psnr_rgb: Option<f64>,
    /// Of the squared error pooled over frames, luma.
    pub psnr_y_pooled: Option<f64>,
    /// Of the squared error pooled over frames, Cb.
    pub psnr_u_pooled: Option<f64>,
    /// Of the squared error pooled over frames, Cr.
    pub psnr_v_pooled: Option<f64>,
    /// (6 Y + U + V) / 8 of the pooled ones.
    pub psnr_611_pooled: Option<f64>,
    /// Of the squared error pooled over frames, RGB.
    pub psnr_rgb_pooled: Option<f64>,
    /// MS-SSIM of luma, mean over frames.
    pub ms_ssim_y: Option<f64>,
    /// VMAF, mean over frames.
    pub vmaf: Option<f64>,
    /// XPSNR in dB, (6 Y + U + V) / 8.
    pub xpsnr: Option<f64>,
    /// Wall-clock seconds of encoding.
    pub enc_s: f64,
    /// Wall-clock seconds of decoding.
    pub dec_s: f64,
    /// Seconds of all processors together while encoding; of nvc, on systems that tell.
    #[serde(default)]
    pub enc_cpu_s: Option<f64>,
    /// Most memory of the encoder, in MB of 10^6 bytes; likewise.
    #[serde(default)]
    pub enc_mb: Option<f64>,
    /// Most memory of the decoder; likewise.
    #[serde(default)]
    pub dec_mb: Option<f64>,
    /// Where it was encoded: `cpu x2` (two threads), `cuda:0`.
    pub enc_device: String,
    /// Where it was decoded.
    pub dec_device: String,
    /// Points that were computed at the same time as this one on the same machine, itself included.
    pub jobs: usize,
    /// Parameters of all networks in the file.
    pub params: Option<u64>,
    /// Multiply-accumulates a luma sample to decode, mean over frames.
    pub macs_per_pixel: Option<f64>,
    /// Commit that nvc was built from.
    pub git: String,
    /// Full command line, with names of files replaced.
    pub command: String,
    /// What the reader must know of this row, such as a missed size.
    pub note: String,
}

impl Row {
    /// Codec and config in one: the name of the curve.
    pub fn curve(&self) -> String {
        if self.config.is_empty() {
            self.codec.clone()
        } else {
            format!("{} {}", self.codec, self.config)
        }
    }

    /// Adds to the note.
    pub fn add_note(&mut self, text: &str) {
        if !self.note.is_empty() {
            self.note += "; ";
        }
        self.note += text;
    }

    /// Takes the figures of a comparison.
    pub fn set_scores(&mut self, s: &Scores) {
        let all = [s.psnr_y, s.psnr_u, s.psnr_v, s.psnr_yuv611, s.psnr_rgb];
        let mean = all.map(|p| p.map(|p| p.mean));
        let pooled = all.map(|p| p.map(|p| p.pooled));
        [
            self.psnr_y,
            self.psnr_u,
            self.psnr_v,
            self.psnr_611,
            self.psnr_rgb,
        ] = mean;
        [
            self.psnr_y_pooled,
            self.psnr_u_pooled,
            self.psnr_v_pooled,
            self.psnr_611_pooled,
            self.psnr_rgb_pooled,
        ] = pooled;
        self.ms_ssim_y = s.ms_ssim_y;
    }

    /// What follows from bytes and geometry.
    pub fn finish(&mut self, frames: u64) {
        self.bpp =
            8.0 * self.bytes as f64 / (self.width as f64 * self.height as f64 * frames as f64);
        let rate = self
            .fps
            .split_once('/')
            .and_then(|(n, d)| Some(n.parse::<f64>().ok()? / d.parse::<f64>().ok()?));
        self.kbps = rate.map(|fps| 8.0 * self.bytes as f64 / frames as f64 * fps / 1000.0);
    }
}

/// Where the bytes of a file of nvc went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bytes {
    /// Container, headers and index.
    pub header: u64,
    /// Networks.
    pub weights: u64,
    /// Content: embeddings, latents, motion.
    pub latents: u64,
}

/// Quality while encoding goes on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Seconds since encoding began.
    pub seconds: f64,
    /// PSNR of the frames fitted then, in dB, all planes in one squared error.
    pub psnr: f64,
}

/// All that is kept of a finished point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The figures.
    pub row: Row,
    /// Where the bytes went; nvc only.
    pub parts: Option<Bytes>,
    /// Bytes that an adaptive coder of order 0 would take for networks and content; nvc only.
    #[serde(default)]
    pub order0_bytes: Option<f64>,
    /// Quality over time; codecs that tell it only.
    pub progress: Vec<Progress>,
    /// PNG of one decoded frame, relative to the folder of results.
    pub picture: Option<String>,
    /// The part of the row's note that is the encoder's.
    #[serde(default)]
    pub encode_note: String,
}

impl Point {
    /// The row of an adaptive coder of order 0 in place of nvc's, where it is known. There is no
    /// such file.
    pub fn order0(&self) -> Option<Row> {
        let (bytes, parts) = (self.order0_bytes?, self.parts?);
        let mut row = self.row.clone();
        row.config += " (order 0)";
        row.bytes = parts.header + bytes.round() as u64;
        row.finish(row.frames);
        row.add_note("computed: an adaptive coder of order 0");
        Some(row)
    }
}
