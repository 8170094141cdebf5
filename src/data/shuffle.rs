//! An order that only a seed decides.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::Rng;

/// Puts items into a random order (Fisher and Yates, in Durstenfeld's form).
pub(crate) fn shuffle<T>(items: &mut [T], random: &mut Pcg32) {
    for i in (1..items.len()).rev() {
        items.swap(i, (random.next_u64() % (i as u64 + 1)) as usize);
    }
}
