//! The search for the rules that match a frame: see [`vswitch_common::acl`].

use vswitch_common::{
    acl::{ACL_MASKS_MAX, AclKey, AclRule, COUNT_MASKS_MAX, MaskKind},
    config::SwitchConfig,
};

use super::{helper, tables};

/// A rule, or none, as one number: the verifier loses track of halves of a structure.
#[derive(Clone, Copy)]
pub struct Found(u64);

impl Found {
    /// No rule: it has the worst rank, and a counter that does not exist.
    const NONE: Self = Self(0xffff_ffff);

    #[inline(always)]
    fn new(rule: &AclRule) -> Self {
        Self(
            u64::from(rule.rank)
                | u64::from(rule.counter) << 16
                | u64::from(rule.denies) << 32
                | u64::from(rule.logs) << 40,
        )
    }

    #[inline(always)]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline(always)]
    pub fn rank(self) -> u32 {
        (self.0 & 0xffff) as u32
    }

    #[inline(always)]
    pub fn counter(self) -> u16 {
        (self.0 >> 16) as u16
    }

    #[inline(always)]
    pub fn denies(self) -> bool {
        self.0 >> 32 & 1 != 0
    }

    #[inline(always)]
    pub fn logs(self) -> bool {
        self.0 >> 40 & 1 != 0
    }
}

/// What the search carries from mask to mask.
struct Search {
    bank: u64,
    best: u64,
}

/// The rule that decides about the frame in the scratch row; those that count are in that row.
#[inline(always)]
pub fn search(config: &SwitchConfig) -> Found {
    if let Some(scratch) = tables::acl_scratch() {
        scratch.count = 0;
    }
    if config.acl_masks == 0 {
        return Found::NONE;
    }
    // The end of the masks is marked in their table: that number and the bank need not be read at one time.
    let mut search = Search { bank: u64::from(config.acl_bank & 1), best: Found::NONE.0 };
    helper::repeat(ACL_MASKS_MAX, visit, &mut search);
    Found(search.best)
}

unsafe extern "C" fn visit(index: u64, search: *mut Search) -> i64 {
    // SAFETY: `search` passes a live `Search`, and the loop calls this function on one CPU, one step after the other.
    let search = unsafe { &mut *search };
    let row = search.bank as u32 * ACL_MASKS_MAX + index as u32;
    let (Some(mask), Some(scratch)) = (tables::acl_mask(row), tables::acl_scratch()) else {
        return 1;
    };
    let best = Found(search.best);
    // Masks are sorted: no rule of this one or of a later one comes before what was found.
    if mask.kind == MaskKind::End as u8 || u32::from(mask.rank) > best.rank() {
        return 1;
    }
    for word in 0..8 {
        scratch.masked.words[word] = scratch.key.words[word] & mask.mask.words[word];
    }
    scratch.masked.words[7] |= AclKey::place(search.bank as u16, index as u16);
    let Some(rule) = tables::acl_rule(&scratch.masked) else {
        return 0;
    };
    let found = Found::new(rule);
    if mask.kind == MaskKind::Count as u8 {
        scratch.found[scratch.count as usize & (COUNT_MASKS_MAX - 1)] = found.0;
        scratch.count += 1;
    } else if found.rank() < best.rank() {
        search.best = found.0;
    }
    0
}
