/*
 * A static program without a C library whose very first instructions write one byte to standard output. Whoever lets
 * it run for even a moment is caught.
 */
__asm__(".globl _start\n"
	"_start:\n"
	"	mov $1, %eax\n" /* write(1, "X", 1) */
	"	mov $1, %edi\n"
	"	lea byte(%rip), %rsi\n"
	"	mov $1, %edx\n"
	"	syscall\n"
	"	mov $231, %eax\n" /* exit_group(0) */
	"	xor %edi, %edi\n"
	"	syscall\n"
	".section .rodata\n"
	"byte:	.ascii \"X\"\n"
	".section .note.GNU-stack,\"\",@progbits\n");
