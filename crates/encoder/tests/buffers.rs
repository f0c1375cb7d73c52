//! Training steps use the memory of earlier ones: counted at the allocator. A test binary of its
//! own, with one test.

use burn::backend::{Autodiff, Flex};
use burn::tensor::{Tensor, TensorData};
use nvc_encoder::fit::ops::{self, AdamStep};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Allocations above this many bytes count.
const LARGE: usize = 16 * 1024;

static COUNTING: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn count(size: usize) {
    if size > LARGE && COUNTING.load(Relaxed) {
        COUNT.fetch_add(1, Relaxed);
        BYTES.fetch_add(size, Relaxed);
    }
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(p, layout, size) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type B = Autodiff<Flex>;

fn noise<const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    let n = shape.iter().product();
    let v = (0..n)
        .map(|i| ((i * 2654435761) % 1000) as f32 / 500.0 - 1.0)
        .collect::<Vec<f32>>();
    Tensor::from_data(TensorData::new(v, shape), &Default::default())
}

fn large(f: impl FnOnce()) -> (usize, usize) {
    COUNT.store(0, Relaxed);
    BYTES.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
    f();
    COUNTING.store(false, Relaxed);
    (COUNT.load(Relaxed), BYTES.load(Relaxed))
}

/// On one thread: with several, how many buffers are in use at once depends on their timing, and a
/// later step may need one more than any before.
#[test]
fn steps_after_the_first_allocate_nothing_large() {
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap()
        .install(steps);
}

fn steps() {
    // two convolutions with shuffles, direct and Winograd, a depthwise one, upsampling, and their
    // optimiser
    let mut w: Vec<Tensor<B, 4>> = [[96, 16, 3, 3], [48, 24, 5, 5], [12, 1, 3, 3], [3, 12, 1, 1]]
        .map(noise)
        .to_vec();
    let mut b: Vec<Tensor<B, 1>> = [96, 48, 12].map(|n| noise([n])).to_vec();
    let mut moments: Vec<[Tensor<Flex, 4>; 2]> = w
        .iter()
        .map(|t| [0; 2].map(|_| t.clone().inner().zeros_like()))
        .collect();
    let (latent, target) = (noise([2, 16, 24, 40]), noise([2, 3, 192, 320]));
    let mut step = |t: usize| {
        w = w.drain(..).map(|t| t.require_grad()).collect();
        b = b.drain(..).map(|t| t.require_grad()).collect();
        let x = ops::shuffle_gelu(
            ops::conv_same(latent.clone(), w[0].clone()),
            b[0].clone(),
            2,
        );
        let x = ops::shuffle_swish(ops::conv_same(x, w[1].clone()), b[1].clone(), 2);
        let x = ops::shuffle_linear(ops::conv_same_depthwise(x, w[2].clone()), b[2].clone(), 1);
        let x = ops::bilinear(ops::conv_same(x, w[3].clone()), 2);
        let mut grads = ops::squared_error(x, target.clone(), &[0.5, 0.3, 0.2]).backward();
        for (w, m) in w.iter_mut().zip(&mut moments) {
            let g = w.grad_remove(&mut grads).unwrap();
            let [m0, m1] = m.clone();
            let [x, m0, m1] = ops::adam(w.clone().inner(), g, m0, m1, AdamStep::new(1e-3, 1e-8, t));
            (*w, *m) = (Tensor::from_inner(x), [m0, m1]);
        }
    };
    let (first, bytes) = large(|| step(1));
    assert!(
        first > 10 && bytes > 1 << 20,
        "the count counts nothing: {first} allocations, {bytes} bytes"
    );
    // the second still holds what the first left in parameters and moments
    step(2);
    for t in 3..8 {
        let (count, bytes) = large(|| step(t));
        assert_eq!(
            count, 0,
            "step {t} made {count} allocations above {LARGE} bytes, {bytes} bytes together"
        );
    }
    // what is released is allocated again
    ops::release();
    assert!(large(|| step(8)).0 > 5, "nothing was released");
}
