/* Its first instructions write one byte to descriptor 9, and then it ends with status 0: whoever reads the other end
 * knows whether a single instruction of it ran. The bss makes the kernel touch the last data page at exec; linked with
 * -N that is the page of _start, which then is mapped before the first instruction. */
	.text
	.globl _start
_start:
	movl $1, %eax
	movl $9, %edi
	leaq byte(%rip), %rsi
	movl $1, %edx
	syscall
	movl $231, %eax
	xorl %edi, %edi
	syscall
	.data
byte:	.byte 'X'
	.bss
	.skip 64
	.section .note.GNU-stack, "", @progbits
