;; A small AO process: it counts its messages, and forwards when asked.
;;
;; handle(message, environment) answers with the count. A tag Forward-To with a process id makes it send
;; one message there. Tags Action = Fail, Trap and Loop make it fail in three ways, each after
;; the count was raised, so that a state that was not put back would show.
(module
  (memory (export "memory") 2 64)

  ;; Page 1 holds the count, pages 2 and 3 the reply, pages 4 to 19 one mark for every sixteenth message.
  (global $count_at i32 (i32.const 0x1000))
  (global $reply_at i32 (i32.const 0x2000))
  (global $marks_at i32 (i32.const 0x4000))
  (global $heap_at i32 (i32.const 0x14000))
  (global $heap (mut i32) (i32.const 0x14000))

  (data (i32.const 0x010) "{\"name\":\"Forward-To\",\"value\":\"\00")
  (data (i32.const 0x040) "{\"name\":\"Action\",\"value\":\"Fail\"}\00")
  (data (i32.const 0x080) "{\"name\":\"Action\",\"value\":\"Trap\"}\00")
  (data (i32.const 0x0c0) "{\"name\":\"Action\",\"value\":\"Loop\"}\00")
  (data (i32.const 0x100) "{\"ok\":true,\"response\":{\"Error\":\"asked to fail\"}}\00")
  (data (i32.const 0x140) "{\"ok\":true,\"response\":{\"Output\":{\"data\":\"\00")
  (data (i32.const 0x180) "\"},\"Messages\":[\00")
  (data (i32.const 0x1a0) "{\"Target\":\"\00")
  (data (i32.const 0x1c0) "\",\"Anchor\":\"\00")
  (data (i32.const 0x1e0) "\",\"Tags\":[{\"name\":\"Action\",\"value\":\"Forwarded\"}],\"Data\":\"\00")
  (data (i32.const 0x240) "\"}\00")
  (data (i32.const 0x260) "],\"Spawns\":[],\"Assignments\":[]}}\00")

  ;; Takes memory from a heap that each reply empties. Returns 0 if memory cannot grow.
  (func $malloc (export "malloc") (param $bytes i32) (result i32)
    (local $at i32) (local $end i32)
    (local.set $at (global.get $heap))
    (local.set $end (i32.add (local.get $at) (local.get $bytes)))
    (if (i32.lt_u (local.get $end) (local.get $at)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $end) (i32.shl (memory.size) (i32.const 16)))
      (then
        (if (i32.eq (i32.const -1)
              (memory.grow (i32.sub
                (i32.shr_u (i32.add (local.get $end) (i32.const 0xffff)) (i32.const 16))
                (memory.size))))
          (then (return (i32.const 0))))))
    (global.set $heap (i32.and (i32.add (local.get $end) (i32.const 15)) (i32.const -16)))
    (local.get $at))

  ;; Where the text after the first occurrence of a needle begins, or 0.
  (func $find (param $text i32) (param $needle i32) (result i32)
    (local $i i32) (local $wanted i32)
    (loop $next
      (local.set $i (i32.const 0))
      (block $differs
        (loop $compare
          (local.set $wanted (i32.load8_u (i32.add (local.get $needle) (local.get $i))))
          (if (i32.eqz (local.get $wanted))
            (then (return (i32.add (local.get $text) (local.get $i)))))
          (br_if $differs (i32.ne (local.get $wanted)
            (i32.load8_u (i32.add (local.get $text) (local.get $i)))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $compare)))
      (if (i32.load8_u (local.get $text))
        (then
          (local.set $text (i32.add (local.get $text) (i32.const 1)))
          (br $next))))
    (i32.const 0))

  ;; Copies bytes and returns where the next go.
  (func $put_bytes (param $to i32) (param $from i32) (param $bytes i32) (result i32)
    (loop $next
      (if (local.get $bytes)
        (then
          (i32.store8 (local.get $to) (i32.load8_u (local.get $from)))
          (local.set $to (i32.add (local.get $to) (i32.const 1)))
          (local.set $from (i32.add (local.get $from) (i32.const 1)))
          (local.set $bytes (i32.sub (local.get $bytes) (i32.const 1)))
          (br $next))))
    (local.get $to))

  ;; Copies a text without its zero.
  (func $put (param $to i32) (param $text i32) (result i32)
    (local $end i32)
    (local.set $end (local.get $text))
    (loop $next
      (if (i32.load8_u (local.get $end))
        (then (local.set $end (i32.add (local.get $end) (i32.const 1))) (br $next))))
    (call $put_bytes (local.get $to) (local.get $text)
      (i32.sub (local.get $end) (local.get $text))))

  ;; Writes a number with at least so many digits.
  (func $put_number (param $to i32) (param $number i32) (param $digits i32) (result i32)
    (local $rest i32) (local $needed i32) (local $at i32)
    (local.set $rest (local.get $number))
    (loop $next
      (local.set $needed (i32.add (local.get $needed) (i32.const 1)))
      (local.set $rest (i32.div_u (local.get $rest) (i32.const 10)))
      (br_if $next (local.get $rest)))
    (if (i32.lt_u (local.get $digits) (local.get $needed))
      (then (local.set $digits (local.get $needed))))
    (local.set $at (i32.add (local.get $to) (local.get $digits)))
    (loop $next
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $next (i32.gt_u (local.get $at) (local.get $to))))
    (i32.add (local.get $to) (local.get $digits)))

  (func (export "handle") (param $message i32) (param $environment i32) (result i32)
    (local $count i32) (local $mark i32) (local $target i32) (local $at i32)
    (local.set $count (i32.add (i32.load (global.get $count_at)) (i32.const 1)))
    (i32.store (global.get $count_at) (local.get $count))
    (local.set $mark (i32.add (global.get $marks_at)
      (i32.shl (i32.and (local.get $count) (i32.const 15)) (i32.const 12))))
    (i32.store (local.get $mark) (i32.add (i32.load (local.get $mark)) (local.get $count)))

    (if (call $find (local.get $message) (i32.const 0x0c0)) (then (loop $forever (br $forever))))
    (if (call $find (local.get $message) (i32.const 0x080)) (then (unreachable)))
    (if (call $find (local.get $message) (i32.const 0x040)) (then (return (i32.const 0x100))))

    (local.set $at (call $put (global.get $reply_at) (i32.const 0x140)))
    (local.set $at (call $put_number (local.get $at) (local.get $count) (i32.const 1)))
    (local.set $at (call $put (local.get $at) (i32.const 0x180)))
    (local.set $target (call $find (local.get $message) (i32.const 0x010)))
    (if (local.get $target)
      (then
        (local.set $at (call $put (local.get $at) (i32.const 0x1a0)))
        (local.set $at (call $put_bytes (local.get $at) (local.get $target) (i32.const 43)))
        (local.set $at (call $put (local.get $at) (i32.const 0x1c0)))
        (local.set $at (call $put_number (local.get $at) (local.get $count) (i32.const 32)))
        (local.set $at (call $put (local.get $at) (i32.const 0x1e0)))
        (local.set $at (call $put_number (local.get $at) (local.get $count) (i32.const 1)))
        (local.set $at (call $put (local.get $at) (i32.const 0x240)))))
    (local.set $at (call $put (local.get $at) (i32.const 0x260)))
    (i32.store8 (local.get $at) (i32.const 0))
    (global.set $heap (global.get $heap_at))
    (global.get $reply_at)))
