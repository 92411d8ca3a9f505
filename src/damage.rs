//! Damage of the data log in words (I6: named exactly).

use hermod_wal::{Damage, Part};
use serde_json::{Value, json};

use crate::failure::Detail;

/// Says what is damaged, where, and which records are lost with it.
pub(crate) fn text(damage: &Damage) -> String {
    let Damage {
        segment,
        offset,
        bytes,
        part,
        lost,
    } = damage;
    let mut text = format!(
        "segment {segment}: {} at offset {offset}, {bytes} bytes",
        part.as_str()
    );
    if *part == Part::HeaderCopy {
        text.push_str("; the other copy was read");
    }
    if lost.is_empty() {
        text.push_str("; no record is lost");
    }
    for lost in lost {
        text += &format!("; lost: {lost}");
    }
    text
}

/// Returns the same for machines; `until` is the first number behind what is lost.
pub(crate) fn value(damage: &Damage) -> Value {
    let lost: Vec<_> = damage
        .lost
        .iter()
        .map(|lost| json!({"stream": lost.name, "from": lost.from.0, "until": lost.to.0}))
        .collect();
    json!({
        "segment": damage.segment,
        "offset": damage.offset,
        "bytes": damage.bytes,
        "part": damage.part.as_str(),
        "lost": lost,
        "text": text(damage),
    })
}

/// Returns both.
pub(crate) fn detail(damage: &Damage) -> Detail {
    Detail {
        text: text(damage),
        value: value(damage),
    }
}
