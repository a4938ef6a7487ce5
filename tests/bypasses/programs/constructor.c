/* Code that runs before main: an indirect function's resolver and a constructor. Each writes one byte. As a
 * library: the constructor alone. */
#include <sys/syscall.h>

static long put(const char *text)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_write), "D"(1L), "S"(text), "d"(1L) : "rcx", "r11", "memory");
	return result;
}

#ifndef LIBRARY
static void nothing(void) {}
static void (*resolve(void))(void)
{
	put("R");
	return nothing;
}
void indirect(void) __attribute__((ifunc("resolve")));

int main(void)
{
	indirect();
	return 0;
}
#endif

__attribute__((constructor)) static void first(void) { put("C"); }
