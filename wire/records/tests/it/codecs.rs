//! What the decompressors take and refuse, as asked of Kafka's own, and their limits.

use ottla_records::codec::{
    CodecError, Compression, Compressor, Decompressor, Levels, OutputLimit, SCRATCH_KEEP_MAX,
};
use proptest::collection::vec;
use proptest::prelude::*;

const MIB: usize = 1 << 20;

fn packed(codec: Compression, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Compressor::new()
        .compress(codec, Levels::default(), plain, &mut out)
        .expect("it fits");
    out
}

fn unpack(codec: Compression, input: &[u8]) -> Result<Vec<u8>, CodecError> {
    let limit = OutputLimit::for_wire(input.len());
    Decompressor::new()
        .decompress(codec, input, limit)
        .map(<[u8]>::to_vec)
}

fn check(codec: Compression, what: &str, input: &[u8], expected: Option<&[u8]>) {
    let expected = expected
        .map(<[u8]>::to_vec)
        .ok_or(CodecError::Corrupt { codec });
    assert_eq!(unpack(codec, input), expected, "{codec}: {what}");
}

/// What it is, the compressed bytes, and the plain ones; `None` if they are refused.
type Case<'a> = (&'a str, Vec<u8>, Option<&'a [u8]>);

const XERIAL: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

/// One raw snappy block of literals.
fn raw(plain: &[u8]) -> Vec<u8> {
    let mut out = vec![u8::try_from(plain.len()).expect("short")];
    for chunk in plain.chunks(60) {
        out.push(u8::try_from(chunk.len() - 1).expect("up to 59") << 2);
        out.extend_from_slice(chunk);
    }
    out
}

fn block(plain: &[u8]) -> Vec<u8> {
    let raw = raw(plain);
    [
        &u32::try_from(raw.len()).expect("short").to_be_bytes()[..],
        &raw,
    ]
    .concat()
}

#[test]
fn snappy_is_read_as_java_reads_it() {
    let join = |parts: &[&[u8]]| parts.concat();
    let cases: &[Case<'_>] = &[
        ("one raw block", raw(b"ab"), Some(b"ab")),
        (
            "xerial, two blocks",
            join(&[&XERIAL, &block(b"a"), &block(b"b")]),
            Some(b"ab"),
        ),
        (
            "joined streams",
            join(&[&XERIAL, &block(b"a"), &XERIAL, &block(b"b")]),
            Some(b"ab"),
        ),
        (
            "versions 9 and 0",
            join(&[&XERIAL[..8], &[0, 0, 0, 9, 0, 0, 0, 0], &block(b"a")]),
            Some(b"a"),
        ),
        ("header alone", XERIAL.to_vec(), Some(b"")),
        (
            "block of nothing",
            join(&[&XERIAL, &block(b"a"), &block(b""), &block(b"b")]),
            Some(b"ab"),
        ),
        (
            "two bytes behind",
            join(&[&XERIAL, &block(b"a"), b"zz"]),
            Some(b"a"),
        ),
        (
            "length 0",
            join(&[&XERIAL, &block(b"a"), &[0; 4], &block(b"b")]),
            None,
        ),
        (
            "negative length",
            join(&[&XERIAL, &block(b"a"), &[0xff; 4], b"abcdefgh"]),
            None,
        ),
        ("cut block", join(&[&XERIAL, &block(b"abc")[..6]]), None),
        (
            "bytes behind a raw block",
            join(&[&raw(b"ab"), b"zz"]),
            None,
        ),
        ("nothing", vec![], None),
        (
            "claims 4 GiB",
            vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0, b'a'],
            None,
        ),
    ];
    for (what, input, expected) in cases {
        check(Compression::Snappy, what, input, *expected);
    }
}

/// An LZ4 frame with one stored block; flags other than the usual ones, bytes behind the descriptor.
fn lz4(flags: u8, sizes: u8, fields: &[u8], body: &[u8]) -> Vec<u8> {
    let descriptor = [&[flags, sizes], fields].concat();
    let check = (twox_hash::XxHash32::oneshot(0, &descriptor) >> 8).to_le_bytes()[0];
    [&[0x04, 0x22, 0x4d, 0x18], &descriptor[..], &[check], body].concat()
}

#[test]
fn lz4_is_read_as_java_reads_it() {
    let stored = |plain: &[u8]| {
        let len = u32::try_from(plain.len()).unwrap() | 1 << 31;
        [&len.to_le_bytes()[..], plain].concat()
    };
    let end = [0u8; 4];
    let body = [&stored(b"ab")[..], &end].concat();
    let checked = |sum: u32| [&stored(b"ab")[..], &sum.to_le_bytes(), &end].concat();
    let right = twox_hash::XxHash32::oneshot(0, b"ab");
    let frame = lz4(0x60, 0x40, &[], &body);
    let mut wrong_check = frame.clone();
    wrong_check[6] ^= 1;
    let large = lz4(
        0x60,
        0x40,
        &[],
        &[&stored(&vec![7; 65537])[..], &end].concat(),
    );
    let two = [&stored(b"a")[..], &stored(b"b"), &end].concat();
    let empty_stored = [&stored(b"ab")[..], &stored(b"")].concat();
    let size = 5u64.to_le_bytes();
    let cases: &[Case<'_>] = &[
        ("one block", frame.clone(), Some(b"ab")),
        ("two blocks", lz4(0x60, 0x40, &[], &two), Some(b"ab")),
        (
            "block checksum",
            lz4(0x70, 0x40, &[], &checked(right)),
            Some(b"ab"),
        ),
        (
            "wrong block checksum",
            lz4(0x70, 0x40, &[], &checked(right ^ 1)),
            None,
        ),
        (
            "wrong content size is not looked at",
            lz4(0x68, 0x40, &size, &body),
            Some(b"ab"),
        ),
        (
            "the second frame is not looked at",
            [&frame[..], &frame].concat(),
            Some(b"ab"),
        ),
        (
            "bytes behind the frame",
            [&frame[..], b"junk"].concat(),
            Some(b"ab"),
        ),
        (
            "a stored block of nothing ends",
            lz4(0x60, 0x40, &[], &empty_stored),
            Some(b"ab"),
        ),
        ("wrong header checksum", wrong_check, None),
        ("dependent blocks", lz4(0x40, 0x40, &[], &body), None),
        ("reserved flag", lz4(0x62, 0x40, &[], &body), None),
        ("dictionary", lz4(0x61, 0x40, &[1, 0, 0, 0], &body), None),
        ("block size 3", lz4(0x60, 0x30, &[], &body), None),
        ("reserved size bits", lz4(0x60, 0x41, &[], &body), None),
        ("no end mark", lz4(0x60, 0x40, &[], &stored(b"ab")), None),
        ("block above its limit", large, None),
    ];
    for (what, input, expected) in cases {
        check(Compression::Lz4, what, input, *expected);
    }
}

#[test]
fn gzip_is_read_as_java_reads_it() {
    let (a, b) = (
        packed(Compression::Gzip, b"a"),
        packed(Compression::Gzip, b"b"),
    );
    let mut wrong_sum = a.clone();
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    let named = [
        &[0x1f, 0x8b, 8, 0x18, 0, 0, 0, 0, 0, 0][..],
        b"name\0note\0",
        &a[10..],
    ]
    .concat();
    let extra = [
        &[0x1f, 0x8b, 8, 0x04, 0, 0, 0, 0, 0, 0][..],
        &[2, 0, 9, 9],
        &a[10..],
    ]
    .concat();
    let cases: &[Case<'_>] = &[
        ("two members", [&a[..], &b].concat(), Some(b"ab")),
        (
            "bytes behind",
            [&a[..], b"garbage garbage garbage"].concat(),
            Some(b"a"),
        ),
        ("name and comment", named, Some(b"a")),
        ("extra field", extra, Some(b"a")),
        ("wrong checksum", wrong_sum, None),
        ("cut trailer", a[..a.len() - 3].to_vec(), None),
        ("cut stream", a[..a.len() - 9].to_vec(), None),
        ("no gzip", b"abcdefghijklmnopqrs".to_vec(), None),
    ];
    for (what, input, expected) in cases {
        check(Compression::Gzip, what, input, *expected);
    }
}

/// A zstd frame of one raw block: `window` is the window descriptor, or none for a single segment.
fn zstd(plain: &[u8], window: Option<u8>) -> Vec<u8> {
    let len = u32::try_from(plain.len()).expect("short");
    let head = match window {
        Some(descriptor) => [0x00, descriptor],
        None => [0x20, u8::try_from(len).expect("short")],
    };
    [
        &[0x28, 0xb5, 0x2f, 0xfd],
        &head[..],
        &((len << 3) | 1).to_le_bytes()[..3],
        plain,
    ]
    .concat()
}

#[test]
fn zstd_is_read_as_java_reads_it() {
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, b'x', b'y', b'z'];
    let cases: &[Case<'_>] = &[
        (
            "two frames",
            [zstd(b"a", None), zstd(b"b", None)].concat(),
            Some(b"ab"),
        ),
        (
            "skippable frame",
            [&skippable[..], &zstd(b"a", None)].concat(),
            Some(b"a"),
        ),
        ("window of 2^27", zstd(b"a", Some(17 << 3)), Some(b"a")),
        ("bytes behind", [&zstd(b"a", None)[..], b"g"].concat(), None),
        ("cut", zstd(b"abc", None)[..9].to_vec(), None),
    ];
    for (what, input, expected) in cases {
        check(Compression::Zstd, what, input, *expected);
    }
    for window in [(17 << 3) + 1, 18 << 3, 0xff] {
        let refused = unpack(Compression::Zstd, &zstd(b"a", Some(window)));
        assert!(
            matches!(refused, Err(CodecError::TooLarge { .. })),
            "{window:#x}"
        );
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let plain = vec![0u8; 4 * MIB];
    for codec in Compression::ALL {
        let bomb = packed(codec, &plain);
        for limit in [1, MIB, 4 * MIB - 1] {
            let mut scratch = Decompressor::new();
            let refused = scratch.decompress(codec, &bomb, OutputLimit(limit));
            assert_eq!(
                refused,
                Err(CodecError::TooLarge { codec, limit }),
                "{codec} {limit}"
            );
        }
        let mut scratch = Decompressor::new();
        let whole = scratch
            .decompress(codec, &bomb, OutputLimit(4 * MIB + 1))
            .map(<[u8]>::len);
        assert_eq!(whole, Ok(4 * MIB), "{codec}");
    }
}

#[test]
fn the_default_limit_stops_a_bomb_of_each_codec() {
    let plain = vec![0u8; OutputLimit::ALWAYS + 1];
    for codec in &Compression::ALL[1..] {
        let bomb = packed(*codec, &plain);
        assert!(bomb.len() < plain.len() / 16, "{codec}");
        let refused = unpack(*codec, &bomb);
        assert!(
            matches!(refused, Err(CodecError::TooLarge { .. })),
            "{codec}"
        );
    }
    assert_eq!(OutputLimit::for_wire(100), OutputLimit(64 * MIB));
    assert_eq!(OutputLimit::for_wire(10 * MIB), OutputLimit(160 * MIB));
    assert_eq!(
        OutputLimit::for_wire(usize::MAX),
        OutputLimit(2_147_483_647)
    );
}

#[test]
fn memory_of_a_large_batch_is_given_back() {
    let mut scratch = Decompressor::new();
    let large = packed(Compression::Lz4, &vec![0u8; SCRATCH_KEEP_MAX + MIB]);
    let small = packed(Compression::Lz4, b"small");
    scratch
        .decompress(Compression::Lz4, &large, OutputLimit::for_wire(0))
        .unwrap();
    scratch
        .decompress(Compression::Lz4, &small, OutputLimit::for_wire(0))
        .unwrap();
    let shown = format!("{scratch:?}");
    let kept: usize = shown
        .split(|c: char| !c.is_ascii_digit())
        .find_map(|n| n.parse().ok())
        .unwrap();
    assert!(kept <= SCRATCH_KEEP_MAX, "{shown}");
}

#[test]
fn every_level_of_kafkas_configs_compresses() {
    let plain: Vec<u8> = (0..20_000u32)
        .flat_map(|i| (i * i % 251).to_le_bytes())
        .collect();
    let at = |codec, levels| {
        let mut out = Vec::new();
        Compressor::new()
            .compress(codec, levels, &plain, &mut out)
            .unwrap();
        assert_eq!(unpack(codec, &out).as_deref(), Ok(&plain[..]));
        out.len()
    };
    let base = Levels::default();
    let gzip: Vec<_> = [1, 6, 9]
        .map(|gzip| at(Compression::Gzip, Levels { gzip, ..base }))
        .to_vec();
    assert!(gzip[0] >= gzip[2], "{gzip:?}");
    assert_eq!(at(Compression::Gzip, Levels { gzip: -1, ..base }), gzip[1]);
    let zstd: Vec<_> = [-131_072, 3, 22]
        .map(|zstd| at(Compression::Zstd, Levels { zstd, ..base }))
        .to_vec();
    assert!(zstd[0] > zstd[2], "{zstd:?}");
    for lz4 in [1, 9, 17] {
        at(Compression::Lz4, Levels { lz4, ..base });
    }
}

#[test]
fn names_are_those_of_the_configs() {
    for codec in Compression::ALL {
        assert_eq!(codec.name().parse(), Ok(codec));
        assert_eq!(Compression::from_id(codec.id()), Some(codec));
    }
    assert_eq!("uncompressed".parse(), Ok(Compression::None));
    assert!("producer".parse::<Compression>().is_err());
    assert_eq!(Compression::from_id(5), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn streams_come_back_through_reused_contexts(
        plains in vec(prop_oneof![vec(any::<u8>(), 0..400), vec(0u8..3, 0..100_000)], 1..5),
    ) {
        let (mut pack, mut unpack) = (Compressor::new(), Decompressor::new());
        for codec in Compression::ALL {
            for plain in &plains {
                let mut packed = b"before".to_vec();
                pack.compress(codec, Levels::default(), plain, &mut packed).unwrap();
                let limit = OutputLimit(plain.len() + 1);
                let back = unpack.decompress(codec, &packed[6..], limit);
                prop_assert_eq!(back, Ok(&plain[..]), "{}", codec);
            }
        }
    }
}
