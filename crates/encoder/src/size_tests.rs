//! Sizes of networks and steps, tested apart: their files are read by the decoder's tests too.

mod strides {
    use crate::size::strides::*;

    #[test]
    fn published_sizes_give_the_published_plans() {
        assert_eq!(
            stride_plan(1280, 640),
            StridePlan {
                strides: vec![5, 4, 4, 2, 2],
                grid: (2, 4)
            }
        );
        assert_eq!(
            stride_plan(960, 480),
            StridePlan {
                strides: vec![5, 4, 3, 2, 2],
                grid: (2, 4)
            }
        );
        assert_eq!(
            stride_plan(1920, 960),
            StridePlan {
                strides: vec![5, 4, 4, 3, 2],
                grid: (2, 4)
            }
        );
    }
}

mod hnerv {
    use crate::size::hnerv::*;
    use crate::size::strides::MOST_SIDE;
    use nvc::frame::{Chroma, PixelFormat, Ratio, VideoInfo};
    use nvc::network::Representation;

    pub(super) fn rgb(width: usize, height: usize) -> VideoInfo {
        VideoInfo {
            fps: Ratio { num: 25, den: 1 },
            ..VideoInfo::new(width, height, PixelFormat::new8(Chroma::Rgb))
        }
    }

    #[test]
    fn published_model_sizes_give_the_published_widths() {
        for (params, widths, decoder) in [
            (0.35e6, [32, 27, 22, 18, 15, 12], 312_830),
            (0.75e6, [48, 40, 33, 28, 23, 19], 719_256),
            (1.5e6, [68, 57, 48, 40, 33, 28], 1_488_276),
            (3e6, [97, 81, 68, 57, 48, 40], 3_012_686),
        ] {
            let net = for_params(&rgb(1280, 640), 132, params, &HnervConfig::default()).unwrap();
            let mut got = vec![net.header.stem_channels];
            got.extend(net.stages.iter().map(|s| s.channels));
            assert_eq!(got, widths);
            assert_eq!(net.header.latent_channels, 16);
            assert_eq!(net.lower(&rgb(1280, 640), 1).unwrap().params(), decoder);
        }
    }

    #[test]
    fn small_networks_have_fewer_channels() {
        let mut info = rgb(176, 144);
        info.format = PixelFormat::new8(Chroma::Yuv420);
        for params in [12_000.0, 20_000.0, 30_000.0, 42_000.0, 100_000.0] {
            let net = for_params(&info, 48, params, &HnervConfig::default()).unwrap();
            let graph = net.lower(&info, 1).unwrap();
            let got = graph.params() as f64 + 48.0 * graph.latent_len() as f64;
            assert!((0.75..=1.4).contains(&(got / params)), "{got} of {params}");
            let least = net.stages.iter().map(|s| s.channels).min().unwrap();
            assert!(
                if params < 40_000.0 {
                    (4..12).contains(&least)
                } else {
                    least == 12
                },
                "{params}: {least} channels"
            );
        }
        let config = HnervConfig {
            min_channels: Some(12),
            ..Default::default()
        };
        let net = for_params(&info, 48, 12_000.0, &config).unwrap();
        assert!(net.stages.iter().all(|s| s.channels >= 12));
    }

    #[test]
    fn every_size_has_a_plan_that_covers_it_with_little_waste() {
        for (w, h) in [
            (1, 1),
            (2, 2),
            (1, 16384),
            (16384, 1),
            (3, 65535),
            (17, 13),
            (176, 144),
            (320, 180),
            (352, 288),
            (416, 240),
            (641, 359),
            (1280, 720),
            (1920, 1080),
            (64, 4096),
        ] {
            let mut info = rgb(w, h);
            for chroma in [Chroma::Rgb, Chroma::Yuv420] {
                info.format = PixelFormat::new8(chroma);
                let net = for_params(&info, 10, 200_000.0, &HnervConfig::default()).unwrap();
                let g = net
                    .lower(&info, 1)
                    .unwrap_or_else(|e| panic!("{w}x{h}: {e}"));
                let [_, ph, pw] = g.nodes[g.outputs[0].node].shape;
                assert!(ph >= h && pw >= w, "{w}x{h} in {pw}x{ph}");
                assert!(
                    net.header.latent_height <= MOST_SIDE && net.header.latent_width <= MOST_SIDE,
                    "{w}x{h}: {:?}",
                    net.header
                );
                if w.min(h) >= 144 {
                    assert!(pw * ph * 100 <= w * h * 112, "{w}x{h} padded to {pw}x{ph}");
                }
            }
        }
    }
}

mod nerv {
    use super::hnerv::rgb;
    use crate::size::nerv::*;
    use nvc::network::Representation;

    /// NeRV-S of the paper's Bunny table: 3.2M parameters.
    #[test]
    fn published_fields_give_the_published_size() {
        let config = NervConfig {
            hidden: Some(512),
            channels: Some(26),
            strides: Some(vec![5, 2, 2, 2, 2]),
            min_channels: Some(96),
            head_kernel: 1,
            ..Default::default()
        };
        let net = for_params(&rgb(1280, 720), 1.0, false, &config).unwrap();
        assert_eq!((net.header.rows, net.header.columns), (9, 16));
        assert_eq!(
            net.stages.iter().map(|s| s.channels).collect::<Vec<_>>(),
            [26, 96, 96, 96, 96]
        );
        let params = net.lower(&rgb(1280, 720), 1).unwrap().params();
        assert!((3_150_000..3_250_000).contains(&params), "{params}");
    }

    #[test]
    fn sizes_are_met_from_below() {
        for plus in [false, true] {
            for params in [20_000.0, 100_000.0, 1_000_000.0] {
                let net = for_params(&rgb(416, 240), params, plus, &NervConfig::default()).unwrap();
                let got = net.lower(&rgb(416, 240), 48).unwrap().params() as f64;
                assert!(
                    got <= params && got > 0.75 * params,
                    "{got} of {params}, NeRV++: {plus}"
                );
            }
        }
    }
}

mod nirvana {
    use super::hnerv::rgb;
    use crate::size::nirvana::*;
    use nvc::network::Representation;

    #[test]
    fn published_fields_give_the_published_size() {
        let config = NirvanaConfig {
            hidden: Some(512),
            features: Some(16),
            cell: Some(16),
            channels: Some(8),
            ..Default::default()
        };
        let net = for_params(&rgb(1920, 1080), 3, 1.0, &config).unwrap();
        assert_eq!((net.header.rows, net.header.columns), (34, 60));
        let g = net.lower(&rgb(1920, 1080), 3).unwrap();
        // published: 2,380,017
        assert_eq!(g.params(), 2_380_017);
        assert_eq!(g.outputs.len(), 9);
    }

    #[test]
    fn sizes_are_met_from_below() {
        for params in [5_000.0, 40_000.0, 300_000.0, 3_000_000.0] {
            let net = for_params(&rgb(416, 240), 3, params, &NirvanaConfig::default()).unwrap();
            let got = net.lower(&rgb(416, 240), 3).unwrap().params() as f64;
            assert!(got <= params && got > 0.75 * params, "{got} of {params}");
        }
    }
}

mod steps {
    use crate::steps::RealStep;
    use nvc::network::QuantStep;

    #[test]
    fn nearest_step_is_within_half_a_mantissa_unit() {
        for i in -600..100 {
            let x = (f64::from(i) / 17.0).exp2().clamp(2f64.powi(-33), 255.0);
            let s = QuantStep::nearest(x);
            assert!(
                (s.value() / x - 1.0).abs() <= 0.5 / 128.0 + 1e-12,
                "{x} -> {s:?} = {}",
                s.value()
            );
        }
    }
}

mod pyramids {
    use nvc::frame::{PixelFormat, VideoInfo};

    use crate::size;

    #[test]
    fn networks_of_pictures_grow_with_time_and_bits() {
        let sizes = |iterations, bits| {
            let format = PixelFormat::from_name("gbrp").unwrap();
            let info = VideoInfo::new(768, 512, format);
            let h = size::pyramid::for_picture(&info, iterations, bits).header;
            (h.contexts, h.hidden)
        };
        let small = sizes(1000, 1e5);
        assert_eq!(sizes(3600, 3e4), small);
        let large = sizes(3600, 1e5);
        assert!(large.0 > small.0 && large.1 > small.1);
    }
}
