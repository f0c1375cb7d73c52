//! Names of a graph's parts: nodes and tensors.

/// Index of a node in [`Graph::nodes`](super::Graph::nodes).
pub type NodeId = usize;
/// Index of a tensor in [`Graph::tensors`](super::Graph::tensors).
pub type TensorId = usize;

/// What a tensor is for; decides its contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Convolution kernel.
    Weight,
    /// Bias.
    Bias,
}

/// Name, shape and role of one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// For people; not in the stream.
    pub name: String,
    /// `[out, in, kernel rows, kernel columns]`; biases have 1s after the first.
    pub shape: [usize; 4],
    /// Weight or bias.
    pub role: Role,
}

impl TensorSpec {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
