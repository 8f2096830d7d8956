#!/bin/sh
# Writes an assembler file that carries the given files, and a table {path, start, end} for sw_blob_find().
echo '	.section .note.GNU-stack,"",%progbits'
echo '	.section .rodata'
i=0
for f in "$@"; do
	printf 'blob%d:\n\t.incbin "%s"\nblob%d_end:\n\t.byte 0\nblob%d_name:\n\t.asciz "%s"\n' $i "$f" $i $i "$f"
	i=$((i + 1))
done
printf '\t.section .data.rel.ro,"aw"\n\t.balign 8\n\t.globl sw_blob_table\nsw_blob_table:\n'
j=0
while [ $j -lt $i ]; do
	printf '\t.quad blob%d_name, blob%d, blob%d_end\n' $j $j $j
	j=$((j + 1))
done
printf '\t.quad 0, 0, 0\n'
