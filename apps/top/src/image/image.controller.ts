import { Controller, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { notFound } from '@weir/kernel';
import { page, parseListQuery, type RawQuery } from '@weir/openstack-api';
import { IMAGE_FILTERS, imageView, versionsView, WEIR_INSTANCE } from '@weir/openstack-api/image';
import { Address, Public } from '../http/request';

/** Glance v2: the built-in image, to list and to show. */
@ApiTags('image')
@Controller('image')
export class ImageController {
  @Public()
  @Get()
  @HttpCode(300)
  versions(@Address() address: string) {
    return versionsView(address);
  }

  @Public()
  @Get('versions')
  versionsAgain(@Address() address: string) {
    return versionsView(address);
  }

  @Get('v2/images')
  list(@Query() query: RawQuery) {
    // `sort=key:dir` orders a list of one.
    const known = { ...query, sort: undefined };
    const { items } = page([imageView(WEIR_INSTANCE)], parseListQuery(known, IMAGE_FILTERS));
    return { images: items, first: '/v2/images', schema: '/v2/schemas/images' };
  }

  @Get('v2/images/:id')
  show(@Param('id') id: string) {
    if (id !== WEIR_INSTANCE.id) throw notFound(`No image found with ID ${id.slice(0, 64)}`);
    return imageView(WEIR_INSTANCE);
  }
}
