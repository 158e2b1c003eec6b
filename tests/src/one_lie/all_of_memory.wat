(module
  (memory (export "memory") 2 65536)
  (data (i32.const 64) "{\"ok\":true,\"response\":{}}\00")
  (global $full (mut i32) (i32.const 0))
  (func (export "malloc") (param i32) (result i32) (i32.const 0x10000))
  (func (export "handle") (param i32 i32) (result i32) (local $at i32) (local $noise i64)
    (local.set $at (i32.const 0x1000))
    (if (global.get $full) (then
      (loop $next
        (i32.store (local.get $at) (i32.add (i32.const 1) (i32.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 0x1000)))
        (br_if $next (i32.lt_u (local.get $at) (i32.shl (memory.size) (i32.const 16))))))
    (else
      (global.set $full (i32.const 1))
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (local.set $noise (i64.const 1))
      (loop $next
        (local.set $noise (i64.xor (local.get $noise) (i64.shl (local.get $noise) (i64.const 13))))
        (local.set $noise (i64.xor (local.get $noise) (i64.shr_u (local.get $noise) (i64.const 7))))
        (local.set $noise (i64.xor (local.get $noise) (i64.shl (local.get $noise) (i64.const 17))))
        (i64.store (local.get $at) (local.get $noise))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (i32.shl (memory.size) (i32.const 16)))))))
    (i32.const 64)))
