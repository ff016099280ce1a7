"""The engine: record ops into a pending program, differentiate it, launch it as one compiled XLA program.

It knows entries and arrays; it never heard of Tensors, modules or optimizers.

    values.py       Value: one array, computed or still to be computed; Aval: its shape, dtype and device
    structure.py    Op, and the trie of structures: a path from the root is a program
    record.py       append one entry to the thread's pending program
    repeat.py       record the same op of many operands again
    slices.py       which entries a gradient runs through
    replay.py       a path of the trie as a pure function of arrays
    backward.py     record gradients: one vjp per region between seams
    launch.py       run the pending program through the cache of executables
    state.py        what each thread has: its pending program, its grad mode
    explain.py      what was compiled, why, and how long it took
"""
