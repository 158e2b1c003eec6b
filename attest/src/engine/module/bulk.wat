;; Copying and filling memory by loads and stores (rule MO-9), for either width: PTR is the type of a pointer, (WIDE x)
;; is x as an i64, and (OUTSIDE) an address beyond every memory.
(module
  ;; One each, though they are the same with 32 bits.
  (type $copy (func (param PTR PTR PTR)))
  (type $fill (func (param PTR i32 PTR)))
  (memory PTR_MEMORY 1)

  (func (type $copy) (param $to PTR) (param $from PTR) (param $bytes PTR) (local $size i64) (local $room i64)
    ;; What does not lie within memory traps before anything moves.
    (local.set $size (i64.shl (WIDE (memory.size)) (i64.const 16)))
    (local.set $room (i64.sub (local.get $size) (WIDE (local.get $bytes))))
    (if (i32.or
          (i64.gt_u (WIDE (local.get $bytes)) (local.get $size))
          (i32.or
            (i64.gt_u (WIDE (local.get $to)) (local.get $room))
            (i64.gt_u (WIDE (local.get $from)) (local.get $room))))
      (then (drop (i32.load8_u OUTSIDE))))
    ;; Upwards or downwards, so that nothing is overwritten that is still to be read.
    (if (PTR.le_u (local.get $to) (local.get $from))
      (then
        (block $rest
          (loop $sixteen
            (br_if $rest (PTR.lt_u (local.get $bytes) (PTR.const 16)))
            (v128.store (local.get $to) (v128.load (local.get $from)))
            (local.set $to (PTR.add (local.get $to) (PTR.const 16)))
            (local.set $from (PTR.add (local.get $from) (PTR.const 16)))
            (local.set $bytes (PTR.sub (local.get $bytes) (PTR.const 16)))
            (br $sixteen)))
        (block $done
          (loop $one
            (br_if $done (PTR.eqz (local.get $bytes)))
            (i32.store8 (local.get $to) (i32.load8_u (local.get $from)))
            (local.set $to (PTR.add (local.get $to) (PTR.const 1)))
            (local.set $from (PTR.add (local.get $from) (PTR.const 1)))
            (local.set $bytes (PTR.sub (local.get $bytes) (PTR.const 1)))
            (br $one))))
      (else
        (block $rest
          (loop $sixteen
            (br_if $rest (PTR.lt_u (local.get $bytes) (PTR.const 16)))
            (local.set $bytes (PTR.sub (local.get $bytes) (PTR.const 16)))
            (v128.store
              (PTR.add (local.get $to) (local.get $bytes))
              (v128.load (PTR.add (local.get $from) (local.get $bytes))))
            (br $sixteen)))
        (block $done
          (loop $one
            (br_if $done (PTR.eqz (local.get $bytes)))
            (local.set $bytes (PTR.sub (local.get $bytes) (PTR.const 1)))
            (i32.store8
              (PTR.add (local.get $to) (local.get $bytes))
              (i32.load8_u (PTR.add (local.get $from) (local.get $bytes))))
            (br $one))))))

  (func (type $fill) (param $to PTR) (param $value i32) (param $bytes PTR) (local $size i64)
    (local.set $size (i64.shl (WIDE (memory.size)) (i64.const 16)))
    (if (i32.or
          (i64.gt_u (WIDE (local.get $bytes)) (local.get $size))
          (i64.gt_u (WIDE (local.get $to)) (i64.sub (local.get $size) (WIDE (local.get $bytes)))))
      (then (drop (i32.load8_u OUTSIDE))))
    (block $rest
      (loop $sixteen
        (br_if $rest (PTR.lt_u (local.get $bytes) (PTR.const 16)))
        (v128.store (local.get $to) (i8x16.splat (local.get $value)))
        (local.set $to (PTR.add (local.get $to) (PTR.const 16)))
        (local.set $bytes (PTR.sub (local.get $bytes) (PTR.const 16)))
        (br $sixteen)))
    (block $done
      (loop $one
        (br_if $done (PTR.eqz (local.get $bytes)))
        (i32.store8 (local.get $to) (local.get $value))
        (local.set $to (PTR.add (local.get $to) (PTR.const 1)))
        (local.set $bytes (PTR.sub (local.get $bytes) (PTR.const 1)))
        (br $one)))))
