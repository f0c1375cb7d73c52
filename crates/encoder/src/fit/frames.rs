//! The group's frames as tensors: what the heads are compared with, and what the embedding encoder
//! sees.
//!
//! On a device with memory of its own the frames are sent there once; on the CPU they are converted
//! for each step, which costs little and keeps 16-bit samples as the only copy.

use burn::tensor::{Tensor, backend::Backend};

use super::ops::FastOps;
use super::target::{self, Head};
use nvc::frame::{Frame, VideoInfo};

/// Frames of one group.
pub struct Frames<'a, B: Backend> {
    frames: &'a [Frame],
    info: &'a VideoInfo,
    heads: &'a [Head],
    /// Rows and columns of the padded picture that the embedding encoder sees, if there is one.
    padded: Option<[usize; 2]>,
    /// Frames of a pass.
    per_pass: usize,
    device: B::Device,
    /// Targets of the first passes, one a head.
    targets: Vec<Vec<Tensor<B, 4>>>,
    /// Encoder inputs of the first frames; gone with the encoder.
    inputs: Vec<Tensor<B, 4>>,
}

impl<'a, B: FastOps> Frames<'a, B> {
    /// Sends to the device as many frames as `resident` bytes hold there; the others are converted
    /// when they are asked for.
    pub fn new(
        frames: &'a [Frame],
        info: &'a VideoInfo,
        heads: &'a [Head],
        padded: Option<[usize; 2]>,
        resident: usize,
        device: &B::Device,
    ) -> Self {
        let per_pass = heads.iter().map(|h| h.frame + 1).max().unwrap_or(1);
        let mut f = Frames {
            frames,
            info,
            heads,
            padded,
            per_pass,
            device: device.clone(),
            targets: Vec::new(),
            inputs: Vec::new(),
        };
        let samples = heads
            .iter()
            .map(|h| h.planes.len() * h.size.0 * h.size.1)
            .sum::<usize>()
            + padded.map_or(0, |[rows, columns]| {
                info.format.chroma.planes() * rows * columns
            });
        let count = (resident / (4 * samples).max(1)).min(frames.len() / per_pass);
        f.targets = (0..count)
            .map(|i| heads.iter().map(|h| f.convert(h, i)).collect())
            .collect();
        if padded.is_some() {
            f.inputs = (0..count).map(|i| f.convert_input(i)).collect();
        }
        f
    }

    fn convert(&self, head: &Head, pass: usize) -> Tensor<B, 4> {
        target::target(
            head,
            &[&self.frames[pass * self.per_pass + head.frame]],
            self.info,
            &self.device,
        )
    }

    fn convert_input(&self, frame: usize) -> Tensor<B, 4> {
        let [rows, columns] = self.padded.unwrap_or_default();
        target::encoder_input(&self.frames[frame], self.info, rows, columns, &self.device)
    }

    /// `[batch, planes, rows, columns]` in -1..1 that head `head` shall give in the passes `batch`.
    pub fn target(&self, head: usize, batch: &[usize]) -> Tensor<B, 4> {
        let one = |&i: &usize| {
            self.targets
                .get(i)
                .map_or_else(|| self.convert(&self.heads[head], i), |t| t[head].clone())
        };
        cat(batch.iter().map(one).collect())
    }

    /// `[batch, planes, rows, columns]` in -1..1: all planes at full resolution, padded.
    pub fn encoder_input(&self, batch: &[usize]) -> Tensor<B, 4> {
        let one = |&i: &usize| {
            self.inputs
                .get(i)
                .cloned()
                .unwrap_or_else(|| self.convert_input(i))
        };
        cat(batch.iter().map(one).collect())
    }

    /// Frees what only the embedding encoder needs.
    pub fn drop_inputs(&mut self) {
        self.inputs = Vec::new();
    }
}

fn cat<B: Backend>(mut parts: Vec<Tensor<B, 4>>) -> Tensor<B, 4> {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        Tensor::cat(parts, 0)
    }
}
