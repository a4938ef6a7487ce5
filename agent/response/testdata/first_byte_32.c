/* first_byte as a 32-bit program. Built with -m32, linked without any library. */
__asm__(".globl _start\n"
	"_start:\n"
	"	mov $4, %eax\n" /* write(1, "X", 1) */
	"	mov $1, %ebx\n"
	"	mov $byte, %ecx\n"
	"	mov $1, %edx\n"
	"	int $0x80\n"
	"	mov $1, %eax\n" /* exit(0) */
	"	xor %ebx, %ebx\n"
	"	int $0x80\n"
	".section .rodata\n"
	"byte:	.ascii \"X\"\n"
	".section .note.GNU-stack,\"\",@progbits\n");
