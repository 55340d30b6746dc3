// Where things are on the map: the projection, and the places of the cloud regions it can show.
//
// Hägerstrand's logarithmic azimuthal projection around the North Sea: distance from the centre is drawn
// on a log scale, so that neighbours in Europe stand apart and the American coast is still in the frame.

const RAD = Math.PI / 180;
const CENTRE = { lon: 1, lat: 53, turn: 13, compress: 1.8, scale: 600, x: 700, y: 300 };

/** The part of the projected plane that must be visible in every window. */
export const FRAME = { left: 8, top: 62, right: 972, bottom: 470 };

/** Degrees to map units. */
export function project(lon, lat) {
  const [p, p0, dl] = [lat * RAD, CENTRE.lat * RAD, (lon - CENTRE.lon) * RAD];
  const cos = Math.sin(p0) * Math.sin(p) + Math.cos(p0) * Math.cos(p) * Math.cos(dl);
  const distance = Math.acos(Math.min(1, Math.max(-1, cos)));
  const east = Math.sin(dl) * Math.cos(p);
  const north = Math.cos(p0) * Math.sin(p) - Math.sin(p0) * Math.cos(p) * Math.cos(dl);
  const bearing = Math.atan2(east, north) - CENTRE.turn * RAD;
  const r = CENTRE.scale * Math.log(1 + CENTRE.compress * distance);
  return { x: CENTRE.x + r * Math.sin(bearing), y: CENTRE.y - r * Math.cos(bearing) };
}

/** Users are everywhere; on the map they stand in the ocean between the continents. */
export const USERS = project(-33, 44);

// Longitude and latitude by region name. AWS and Google names do not collide; Azure's are a third style.
const REGIONS = {
  "eu-north-1": [18.1, 59.3], "eu-central-1": [8.7, 50.1], "eu-central-2": [8.5, 47.4], "eu-west-1": [-6.3, 53.3],
  "eu-west-2": [-0.1, 51.5], "eu-west-3": [2.4, 48.9], "eu-south-1": [9.2, 45.5], "eu-south-2": [-0.9, 41.7],
  "us-east-1": [-77.5, 39.0], "us-east-2": [-83.0, 40.0], "ca-central-1": [-73.6, 45.5],
  "europe-north1": [27.2, 60.6], "europe-north2": [18.1, 59.3], "europe-west1": [3.8, 50.5], "europe-west2": [-0.1, 51.5],
  "europe-west3": [8.7, 50.1], "europe-west4": [6.8, 53.4], "europe-west6": [8.5, 47.4], "europe-west8": [9.2, 45.5],
  "europe-west9": [2.4, 48.9], "europe-west10": [13.4, 52.5], "europe-west12": [7.7, 45.1],
  "europe-central2": [21.0, 52.2], "europe-southwest1": [-3.7, 40.4], "us-east1": [-80.0, 33.2], "us-east4": [-77.5, 39.0],
  "us-east5": [-83.0, 40.0], "northamerica-northeast1": [-73.6, 45.5], "northamerica-northeast2": [-79.4, 43.7],
  northeurope: [-6.3, 53.3], westeurope: [4.9, 52.4], swedencentral: [17.1, 60.7], norwayeast: [10.8, 59.9],
  germanywestcentral: [8.7, 50.1], francecentral: [2.4, 48.9], switzerlandnorth: [8.5, 47.4], uksouth: [-0.1, 51.5],
  polandcentral: [21.0, 52.2], italynorth: [9.2, 45.5], spaincentral: [-3.7, 40.4], eastus: [-79.0, 37.4],
  eastus2: [-78.4, 36.7], canadacentral: [-79.4, 43.7],
};

/** A region's place in map units, or null where the map does not know it. */
export function placeOf(region) {
  const known = Object.hasOwn(REGIONS, region ?? "") ? REGIONS[region] : null;
  return known && project(known[0], known[1]);
}
