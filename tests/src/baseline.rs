//! The least that a program can do with a frame: send it out of one device, whatever it is. What the switch is compared
//! with.
//!
//! Written in the kernel's instructions, so that there is nothing in it that a compiler or a map could add.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use crate::prog_run::{Program, bpf, own};

const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_MAP_TYPE_PROG_ARRAY: u32 = 3;
const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;
/// Helpers, by number.
const BPF_TAIL_CALL: i32 = 12;
const BPF_REDIRECT: i32 = 23;
/// `data` and `data_end` in `struct __sk_buff`.
const DATA: i16 = 76;
const DATA_END: i16 = 80;
/// The last two octets of a frame's source address.
const SOURCE_END: i16 = 10;

/// `struct bpf_insn`: operation, registers (destination in the low half), offset, number.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Instruction(u8, u8, i16, i32);

const fn set(register: u8, number: i32) -> Instruction {
    Instruction(0xb7, register, 0, number)
}

const fn copy(to: u8, from: u8) -> Instruction {
    Instruction(0xbf, from << 4 | to, 0, 0)
}

const fn call(helper: i32) -> Instruction {
    Instruction(0x85, 0, 0, helper)
}

const EXIT: Instruction = Instruction(0x95, 0, 0, 0);
/// A jump to the next instruction.
const NOTHING: Instruction = Instruction(0x05, 0, 0, 0);

/// A program that redirects every frame to the device of that index, and does nothing else.
///
/// # Errors
/// When the kernel refuses it.
pub fn redirect(ifindex: u32) -> io::Result<Program> {
    load(&[set(1, ifindex.cast_signed()), set(2, 0), call(BPF_REDIRECT), EXIT], None)
}

/// Who speaks in turn, by the last two octets of the address as a number whose low octet comes first.
#[derive(Clone, Copy, Debug)]
pub enum Turn {
    /// Two stations, whose numbers differ in these bits.
    Two(u16),
    /// The stations from 0 up to, but not including, this power of two.
    Many(u16),
}

/// A program that gives the frame the next source address and then runs another program on it. So the same bytes, run
/// again and again, are frames of several stations.
///
/// # Errors
/// When the kernel refuses it, for example because it lets no such program call that one.
///
/// # Panics
/// When the number of stations is no power of two.
pub fn rotate(turn: Turn, then: &Program) -> io::Result<Program> {
    // r5 = the number: one more and round again, or the other one.
    let next = match turn {
        Turn::Two(difference) => [Instruction(0xa7, 5, 0, i32::from(difference)), NOTHING],
        Turn::Many(count) => {
            assert!(count.is_power_of_two(), "{count} stations");
            [Instruction(0x07, 5, 0, 1), Instruction(0x57, 5, 0, i32::from(count - 1))]
        }
    };
    // `union bpf_attr` of BPF_MAP_CREATE: kind, length of a key, length of a value, entries.
    let array = own(bpf(BPF_MAP_CREATE, &mut [BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1])?);
    let number = array.as_raw_fd();
    let (key, value) = (0_u32, then.descriptor());
    // Of BPF_MAP_UPDATE_ELEM: the map, where the key is, where the value is, flags.
    let mut update =
        [u64::from(number.cast_unsigned()), (&raw const key) as u64, (&raw const value) as u64, 0];
    bpf(BPF_MAP_UPDATE_ELEM, &mut update)?;
    let program = [
        copy(6, 1),
        // r2 = data, r3 = data_end; less than a header is sent away.
        Instruction(0x61, 6 << 4 | 2, DATA, 0),
        Instruction(0x61, 6 << 4 | 3, DATA_END, 0),
        copy(4, 2),
        Instruction(0x07, 4, 0, 14),
        Instruction(0x2d, 3 << 4 | 4, 9, 0),
        Instruction(0x69, 2 << 4 | 5, SOURCE_END, 0),
        next[0],
        next[1],
        Instruction(0x6b, 5 << 4 | 2, SOURCE_END, 0),
        copy(1, 6),
        // r2 = the array, in two instructions.
        Instruction(0x18, 1 << 4 | 2, 0, number),
        Instruction(0, 0, 0, 0),
        set(3, 0),
        call(BPF_TAIL_CALL),
        set(0, 2),
        EXIT,
    ];
    load(&program, Some(array))
}

fn load(program: &[Instruction], map: Option<OwnedFd>) -> io::Result<Program> {
    // `union bpf_attr` of BPF_PROG_LOAD, up to and with the place for the verifier's words.
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log: u64,
    }
    let mut load = Load {
        kind: BPF_PROG_TYPE_SCHED_CLS,
        count: u32::try_from(program.len()).unwrap_or(0),
        instructions: program.as_ptr() as u64,
        license: c"Dual MIT/GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
    };
    Ok(Program::loaded(own(bpf(BPF_PROG_LOAD, &mut load)?), map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        frame::{Frame, station},
        prog_run::{Context, Verdict},
    };

    const SOURCES: u16 = 512;

    #[test]
    fn the_least_redirects_and_the_sources_go_round() {
        let least = redirect(1).expect("load, as root");
        let rotating = rotate(Turn::Many(SOURCES), &least).expect("load");
        let (frame, mut out) = (Frame::new(station(0), station(1)).build(), Vec::new());
        let loopback = Context::ingress(1);
        assert_eq!(least.run(&frame, &loopback, &mut out).expect("run"), Verdict::Redirect);
        assert_eq!(out, &frame[..]);
        let mut bytes = frame.to_vec();
        for number in (1..SOURCES).chain([0]) {
            assert_eq!(rotating.run(&bytes, &loopback, &mut out).expect("run"), Verdict::Redirect);
            assert_eq!(&out[10..12], number.to_le_bytes());
            bytes.clone_from(&out);
        }
        let two = rotate(Turn::Two(0x0103), &least).expect("load");
        for expected in [0x0103_u16, 0, 0x0103] {
            assert_eq!(two.run(&bytes, &loopback, &mut out).expect("run"), Verdict::Redirect);
            assert_eq!(out[10..12], expected.to_le_bytes());
            bytes.clone_from(&out);
        }
    }
}
