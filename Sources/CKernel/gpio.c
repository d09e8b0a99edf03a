#include "gpio.h"
#include <assert.h>
#include <stddef.h>
#include <sys/ioctl.h>

/* The sizes are part of each ioctl's number: the same on 32 and 64 bits. */
static_assert(sizeof(struct gpiochip_info) == 68, "gpiochip_info");
static_assert(sizeof(struct gpio_v2_line_values) == 16, "gpio_v2_line_values");
static_assert(sizeof(struct gpio_v2_line_attribute) == 16, "gpio_v2_line_attribute");
static_assert(sizeof(struct gpio_v2_line_config_attribute) == 24, "gpio_v2_line_config_attribute");
static_assert(sizeof(struct gpio_v2_line_config) == 272, "gpio_v2_line_config");
static_assert(sizeof(struct gpio_v2_line_request) == 592, "gpio_v2_line_request");
static_assert(offsetof(struct gpio_v2_line_request, fd) == 588, "gpio_v2_line_request.fd");
static_assert(sizeof(struct gpio_v2_line_info) == 256, "gpio_v2_line_info");
static_assert(sizeof(struct gpio_v2_line_event) == 48, "gpio_v2_line_event");

static int answer(int result) { return result < 0 ? -1 : 0; }

int bg_gpio_chip_info(int chip, struct gpiochip_info *info) { return answer(ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, info)); }

int bg_gpio_line_info(int chip, struct gpio_v2_line_info *info) {
  return answer(ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, info));
}

int bg_gpio_request_line(int chip, struct gpio_v2_line_request *request) {
  return answer(ioctl(chip, GPIO_V2_GET_LINE_IOCTL, request));
}

int bg_gpio_get_values(int line, struct gpio_v2_line_values *values) {
  return answer(ioctl(line, GPIO_V2_LINE_GET_VALUES_IOCTL, values));
}

int bg_gpio_set_values(int line, const struct gpio_v2_line_values *values) {
  return answer(ioctl(line, GPIO_V2_LINE_SET_VALUES_IOCTL, values));
}
