/* A program that does nothing and ends with 0. What is appended to the file makes each copy another one. */
	.globl _start
_start:
	mov $231, %eax
	xor %edi, %edi
	syscall
