//! Random histories of a file that is written, rotated and read with restarts in between: each record is
//! read once, in order, whatever happened.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Action {
    Write(u8),
    WritePart,
    Rotate,
    Read(u8),
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Rotation {
    Rename,
    CopyAndEmpty,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (1..40_u8).prop_map(Action::Write),
        1 => Just(Action::WritePart),
        2 => Just(Action::Rotate),
        4 => (1..40_u8).prop_map(Action::Read),
        2 => Just(Action::Restart),
    ]
}

struct Writer {
    next: u32,
    written: Vec<String>,
    part: bool,
}

impl Writer {
    fn line(&mut self) -> String {
        let text = format!("line {} {}", self.next, "-".repeat(self.next as usize % 90));
        self.next += 1;
        self.written.push(text.clone());
        text
    }

    fn apply(&mut self, rig: &Rig, action: &Action, rotation: Rotation) {
        match action {
            Action::Write(count) => {
                let mut text = String::new();
                for _ in 0..*count {
                    if self.part {
                        text.push('\n');
                        self.part = false;
                    }
                    text += &(self.line() + "\n");
                }
                rig.append("app.log", text);
            }
            Action::WritePart if !self.part => {
                let line = self.line();
                rig.append("app.log", line);
                self.part = true;
            }
            Action::Rotate => self.rotate(rig, rotation),
            _ => {}
        }
    }

    fn rotate(&mut self, rig: &Rig, rotation: Rotation) {
        if self.part {
            rig.append("app.log", "\n");
            self.part = false;
        }
        if !rig.path("app.log").exists() {
            return;
        }
        for number in (1..40).rev() {
            let from = format!("app.log.{number}");
            if rig.path(&from).exists() {
                rig.rename(&from, &format!("app.log.{}", number + 1));
            }
        }
        match rotation {
            Rotation::Rename => rig.rename("app.log", "app.log.1"),
            Rotation::CopyAndEmpty => rig.copy_and_empty("app.log", "app.log.1"),
        }
        // A file that is written anew with the very bytes it had cannot be told from one that is as it was.
        let first = self.line();
        rig.append("app.log", first + "\n");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn each_record_is_read_once_in_order(
        actions in prop::collection::vec(action(), 1..40),
        rotation in prop_oneof![Just(Rotation::Rename), Just(Rotation::CopyAndEmpty)],
    ) {
        let mut rig = Rig::new(|_| {});
        let mut writer = Writer { next: 0, written: Vec::new(), part: false };
        let (mut read, mut ids) = (Vec::new(), std::collections::HashSet::new());
        let mut take = |rig: &mut Rig, most: usize| {
            let limit = ReadLimit { messages: most, ..LIMIT };
            for message in rig.step(limit) {
                read.push(text(&message));
                assert!(ids.insert(message.id.clone()), "id {} twice", message.id);
            }
        };
        for action in &actions {
            match action {
                Action::Read(most) => take(&mut rig, usize::from(*most)),
                // Rotation tells nobody where a file that nothing was read of yet has gone.
                Action::Restart if rig.position.is_some() => rig.restart(),
                Action::Rotate if rig.position.is_none() => take(&mut rig, 1),
                _ => writer.apply(&rig, action, rotation),
            }
        }
        writer.apply(&rig, &Action::Write(1), rotation);
        for _ in 0..500 {
            take(&mut rig, 1000);
        }
        prop_assert_eq!(read, writer.written);
    }
}
